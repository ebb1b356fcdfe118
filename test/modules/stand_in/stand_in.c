/*
 * A stand-in for extensions that keep rows elsewhere, or in a way of their own:
 *
 * - stand_in.tables names tables (by their last names) whose scans a planner hook replaces by a
 *   custom scan, called as stand_in.scan says;
 * - stand_in_scans() counts the scans of partitioned tables that this process has had planned;
 * - stand_in_handler() is a table access method that is heap, but for that nothing can be updated
 *   or deleted. stand_in.plain_errors has it say so without an error code, as elog() does;
 * - stand_in_kill(table, tid) removes a row without a transaction number, for good, and keeps the
 *   lock that writers of the table have.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xloginsert.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "storage/bufmgr.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"

PG_MODULE_MAGIC;

void _PG_init(void);
PG_FUNCTION_INFO_V1(stand_in_handler);
PG_FUNCTION_INFO_V1(stand_in_kill);
PG_FUNCTION_INFO_V1(stand_in_scans);

static char *replaced_tables = NULL;
static char *scan_name = NULL;
static bool plain_errors = false;
static int64 planned_scans = 0;
static set_rel_pathlist_hook_type next_hook = NULL;

/* The scan reads the table's heap, as any would. */
typedef struct StandInScan
{
	CustomScanState custom;
	TableScanDesc scan;
	TupleTableSlot *slot;
} StandInScan;

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	StandInScan *self = (StandInScan *) node;

	self->slot = table_slot_create(node->ss.ss_currentRelation, NULL);
}

static TupleTableSlot *
next_row(ScanState *state)
{
	StandInScan *self = (StandInScan *) state;

	if (self->scan == NULL)
#if PG_VERSION_NUM >= 190000
		self->scan = table_beginscan(state->ss_currentRelation, state->ps.state->es_snapshot, 0, NULL, SO_NONE);
#else
		self->scan = table_beginscan(state->ss_currentRelation, state->ps.state->es_snapshot, 0, NULL);
#endif
	if (!table_scan_getnextslot(self->scan, ForwardScanDirection, self->slot))
		return ExecClearTuple(state->ss_ScanTupleSlot);
	return ExecCopySlot(state->ss_ScanTupleSlot, self->slot);
}

static bool
recheck_row(ScanState *state, TupleTableSlot *slot)
{
	return true;
}

static TupleTableSlot *
exec_scan(CustomScanState *node)
{
	return ExecScan(&node->ss, next_row, recheck_row);
}

static void
end_scan(CustomScanState *node)
{
	StandInScan *self = (StandInScan *) node;

	ExecDropSingleTupleTableSlot(self->slot);
	if (self->scan != NULL)
		table_endscan(self->scan);
}

static void
rescan(CustomScanState *node)
{
	StandInScan *self = (StandInScan *) node;

	if (self->scan != NULL)
		table_rescan(self->scan, NULL);
	ExecScanReScan(&node->ss);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "stand-in",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
};

static Node *
create_state(CustomScan *scan)
{
	StandInScan *self = palloc0(sizeof(StandInScan));

	NodeSetTag(self, T_CustomScanState);
	self->custom.methods = &exec_methods;
	return (Node *) self;
}

static CustomScanMethods scan_methods = {"stand-in", create_state};

static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *targets, List *clauses,
		  List *plans)
{
	CustomScan *scan = makeNode(CustomScan);

	scan_methods.CustomName = pstrdup(scan_name);
	scan->scan.plan.targetlist = targets;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->scan.scanrelid = rel->relid;
	scan->methods = &scan_methods;
	return (Plan *) scan;
}

static const CustomPathMethods path_methods = {
	.CustomName = "stand-in",
	.PlanCustomPath = make_plan,
};

static bool
is_replaced(Oid table)
{
	List	   *names;
	ListCell   *cell;
	char	   *name = get_rel_name(table);

	if (name == NULL || !SplitIdentifierString(pstrdup(replaced_tables), ',', &names))
		return false;
	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

static void
replace_scan(PlannerInfo *root, RelOptInfo *rel, Index index, RangeTblEntry *entry)
{
	CustomPath *path;

	if (entry->rtekind == RTE_RELATION && entry->relkind == RELKIND_PARTITIONED_TABLE)
		planned_scans++;
	if (next_hook != NULL)
		next_hook(root, rel, index, entry);
	/* Who would change rows, or lock them, needs to know their places. */
	if (root->parse->commandType != CMD_SELECT || root->parse->rowMarks != NIL ||
		entry->rtekind != RTE_RELATION || entry->inh || !is_replaced(entry->relid))
		return;
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.rows = rel->rows;
	path->path.total_cost = 1;
	path->methods = &path_methods;
	rel->pathlist = list_make1(path);
	rel->partial_pathlist = NIL;
}

#define REFUSE() \
	do { \
		if (plain_errors) \
			elog(ERROR, "the access method has no UPDATE and no DELETE"); \
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), \
						errmsg("the access method has no UPDATE and no DELETE"))); \
	} while (0)

static TM_Result
#if PG_VERSION_NUM >= 190000
refuse_delete(Relation relation, ItemPointer tid, CommandId cid, uint32 options, Snapshot snapshot,
			  Snapshot crosscheck, bool wait, TM_FailureData *failure)
#else
refuse_delete(Relation relation, ItemPointer tid, CommandId cid, Snapshot snapshot,
			  Snapshot crosscheck, bool wait, TM_FailureData *failure, bool changing_part)
#endif
{
	REFUSE();
}

static TM_Result
refuse_lock(Relation relation, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
			CommandId cid, LockTupleMode mode, LockWaitPolicy policy, uint8 flags,
			TM_FailureData *failure)
{
	REFUSE();
}

/* What builds an index insists on the heap that it is. */
static double
build_index(Relation table, Relation index, IndexInfo *info, bool allow_sync, bool any_visible,
			bool progress, BlockNumber start, BlockNumber count, IndexBuildCallback callback,
			void *state, TableScanDesc scan)
{
	const TableAmRoutine *own = table->rd_tableam;
	double		rows = 0;

	table->rd_tableam = GetHeapamTableAmRoutine();
	PG_TRY();
	{
		rows = table->rd_tableam->index_build_range_scan(table, index, info, allow_sync, any_visible,
														 progress, start, count, callback, state, scan);
	}
	PG_FINALLY();
	{
		table->rd_tableam = own;
	}
	PG_END_TRY();
	return rows;
}

Datum
stand_in_handler(PG_FUNCTION_ARGS)
{
	static TableAmRoutine routine;

	routine = *GetHeapamTableAmRoutine();
	routine.tuple_delete = refuse_delete;
	routine.tuple_lock = refuse_lock;
	routine.index_build_range_scan = build_index;
	PG_RETURN_POINTER(&routine);
}

Datum
stand_in_kill(PG_FUNCTION_ARGS)
{
	ItemPointer tid = (ItemPointer) PG_GETARG_POINTER(1);
	Relation	table = relation_open(PG_GETARG_OID(0), RowExclusiveLock);
	Buffer		buffer = ReadBuffer(table, ItemPointerGetBlockNumber(tid));
	Page		page;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	START_CRIT_SECTION();
	ItemIdSetDead(PageGetItemId(page, ItemPointerGetOffsetNumber(tid)));
	PageClearAllVisible(page);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(table))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
	relation_close(table, NoLock);
	PG_RETURN_VOID();
}

Datum
stand_in_scans(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(planned_scans);
}

void
_PG_init(void)
{
	DefineCustomStringVariable("stand_in.tables", "Tables whose scans are replaced.", NULL,
							   &replaced_tables, "", PGC_SUSET, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomStringVariable("stand_in.scan", "The name of the custom scan.", NULL, &scan_name,
							   "stand-in", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("stand_in.plain_errors", "Refuse without an error code.", NULL,
							 &plain_errors, false, PGC_SUSET, 0, NULL, NULL, NULL);
	next_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = replace_scan;
}
