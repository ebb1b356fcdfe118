/*
 * The bounds of bench/queue: how fast background workers go that have no queue to look after. For each
 * job they call the handler and write a history row, and they commit, but they claim nothing, mark nothing
 * and read nothing.
 *
 *   bound(mode, workers, seconds, handler, history) returns the jobs a second
 *
 *   per_job   a transaction a job, flushed by its own commit
 *   shared    a transaction a job, asynchronous; each worker flushes every two milliseconds
 *   grouped   60 jobs a transaction, a subtransaction each; flushed as shared
 *
 * The caller waits for the workers, so that the server's CPU time can be read before and after.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bound);
PGDLLEXPORT void bound_main(Datum handle);

#define MOST_WORKERS 16
#define GROUP 60
#define HISTORY_COLUMNS 9
#define FLUSH_US 2000

typedef enum Flushing { PER_JOB, SHARED, GROUPED } Flushing;

/* What the caller and its workers share; each worker writes its own results. */
typedef struct Race
{
	Flushing mode;
	Oid database, user, handler, history;
	TimestampTz end;
	struct { TimestampTz began, ended; int64 jobs; } of[MOST_WORKERS];
} Race;

typedef struct Worker
{
	Race *race;
	FmgrInfo handler;
	Datum payload;
	TupleTableSlot *slots[GROUP];
	TimestampTz flushed_at;
	int64 jobs;
} Worker;

static void
call_handler(Worker *self)
{
	LOCAL_FCINFO(call, 1);

	InitFunctionCallInfoData(*call, &self->handler, 1, InvalidOid, NULL, NULL);
	call->args[0].value = self->payload;
	call->args[0].isnull = false;
	FunctionCallInvoke(call);
}

static void
store_row(Worker *self, TupleTableSlot *slot, TimestampTz started)
{
	bool no_nulls[HISTORY_COLUMNS] = {false};
	Datum row[HISTORY_COLUMNS] = {
		Int64GetDatum(++self->jobs), TimestampTzGetDatum(started), TimestampTzGetDatum(started),
		TimestampTzGetDatum(GetCurrentTimestamp()), Int32GetDatum(1), ObjectIdGetDatum(GetUserId()),
		Int16GetDatum(1), CharGetDatum('c'), self->payload};

	ExecClearTuple(slot);
	memcpy(slot->tts_values, row, sizeof(row));
	memcpy(slot->tts_isnull, no_nulls, sizeof(no_nulls));
	ExecStoreVirtualTuple(slot);
}

static void
write_rows(Worker *self, Relation history, int count)
{
	if (count == 1)
		table_tuple_insert(history, self->slots[0], GetCurrentCommandId(true), 0, NULL);
	else
		table_multi_insert(history, self->slots, count, GetCurrentCommandId(true), 0, NULL);
}

static void
run_jobs(Worker *self, int count)
{
	Relation history;

	for (int i = 0; i < count; ++i)
	{
		TimestampTz started = GetCurrentTimestamp();

		if (count > 1)
			BeginInternalSubTransaction(NULL);
		call_handler(self);
		if (count > 1)
			ReleaseCurrentSubTransaction();
		store_row(self, self->slots[i], started);
	}
	history = table_open(self->race->history, RowExclusiveLock);
	write_rows(self, history, count);
	table_close(history, NoLock);
}

static void
flush_in_time(Worker *self)
{
	TimestampTz now = GetCurrentTimestamp();

	if (self->race->mode == PER_JOB || now - self->flushed_at < FLUSH_US)
		return;
	XLogFlush(XactLastCommitEnd);
	self->flushed_at = GetCurrentTimestamp();
}

/* The slots outlive the transactions, and so does their description of the table. */
static void
get_ready(Worker *self)
{
	MemoryContext old;
	Relation history;
	TupleDesc columns;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	history = table_open(self->race->history, AccessShareLock);
	old = MemoryContextSwitchTo(TopMemoryContext);
	columns = CreateTupleDescCopy(RelationGetDescr(history));
	for (int i = 0; i < GROUP; ++i)
		self->slots[i] = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
	self->payload = DirectFunctionCall1(jsonb_in, CStringGetDatum("{\"n\": 123}"));
	fmgr_info_cxt(self->race->handler, &self->handler, TopMemoryContext);
	MemoryContextSwitchTo(old);
	table_close(history, AccessShareLock);
	call_handler(self);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

void
bound_main(Datum handle)
{
	int number;
	dsm_segment *segment;
	Worker self = {0};

	memcpy(&number, MyBgworkerEntry->bgw_extra, sizeof(number));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(handle));
	if (segment == NULL)
		ereport(ERROR, (errmsg("the caller of bound() has left")));
	dsm_pin_mapping(segment);
	self.race = dsm_segment_address(segment);
	BackgroundWorkerInitializeConnectionByOid(self.race->database, self.race->user, 0);
	SetConfigOption("synchronous_commit", self.race->mode == PER_JOB ? "on" : "off", PGC_SUSET, PGC_S_SESSION);
	get_ready(&self);

	self.race->of[number].began = self.flushed_at = GetCurrentTimestamp();
	while (GetCurrentTimestamp() < self.race->end)
	{
		CHECK_FOR_INTERRUPTS();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		run_jobs(&self, self.race->mode == GROUPED ? GROUP : 1);
		PopActiveSnapshot();
		CommitTransactionCommand();
		flush_in_time(&self);
	}
	XLogFlush(XactLastCommitEnd);
	self.race->of[number].ended = GetCurrentTimestamp();
	self.race->of[number].jobs = self.jobs;
}

static BackgroundWorkerHandle *
start_worker(Race *race, dsm_handle handle, int number)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *started;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = UInt32GetDatum(handle);
	memcpy(worker.bgw_extra, &number, sizeof(number));
	strlcpy(worker.bgw_library_name, "$libdir/bounds", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "bound_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "bound %d", number);
	strlcpy(worker.bgw_type, "bound", sizeof(worker.bgw_type));
	if (!RegisterDynamicBackgroundWorker(&worker, &started))
		ereport(ERROR, (errmsg("max_worker_processes is too small")));
	return started;
}

static Flushing
mode_of(const char *word)
{
	if (strcmp(word, "per_job") == 0)
		return PER_JOB;
	if (strcmp(word, "shared") == 0)
		return SHARED;
	if (strcmp(word, "grouped") == 0)
		return GROUPED;
	ereport(ERROR, (errmsg("no mode: \"%s\"", word)));
}

static double
jobs_a_second(Race *race, int workers)
{
	TimestampTz began = race->of[0].began, ended = race->of[0].ended;
	int64 jobs = 0;

	for (int i = 0; i < workers; ++i)
	{
		if (race->of[i].ended == 0)
			ereport(ERROR, (errmsg("a worker has failed; see the server's log")));
		began = Min(began, race->of[i].began);
		ended = Max(ended, race->of[i].ended);
		jobs += race->of[i].jobs;
	}
	return jobs * 1e6 / (ended - began);
}

Datum
bound(PG_FUNCTION_ARGS)
{
	int workers = PG_GETARG_INT32(1);
	dsm_segment *segment = dsm_create(sizeof(Race), 0);
	Race *race = dsm_segment_address(segment);
	BackgroundWorkerHandle *started[MOST_WORKERS];
	double rate;

	if (workers < 1 || workers > MOST_WORKERS)
		ereport(ERROR, (errmsg("1 to %d workers", MOST_WORKERS)));
	memset(race, 0, sizeof(*race));
	race->mode = mode_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	race->database = MyDatabaseId;
	race->user = GetUserId();
	race->handler = PG_GETARG_OID(3);
	race->history = PG_GETARG_OID(4);
	race->end = GetCurrentTimestamp() + (TimestampTz) (PG_GETARG_FLOAT8(2) * 1e6);
	for (int i = 0; i < workers; ++i)
		started[i] = start_worker(race, dsm_segment_handle(segment), i);
	for (int i = 0; i < workers; ++i)
		WaitForBackgroundWorkerShutdown(started[i]);
	rate = jobs_a_second(race, workers);
	dsm_detach(segment);
	PG_RETURN_FLOAT8(rate);
}
