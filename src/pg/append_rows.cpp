// The indexes of a table are opened with it. Their IndexInfo is made at the first entry: a partial
// index that gets none then costs only its lock. Key columns are taken from the row itself. Only a
// condition other than IS NOT NULL needs an executor state, which is made at its first row.
#include "pg/append_rows.hpp"

namespace metrics_refresh::pg {
namespace {

void open_index(Appender* appender, Oid number) {
  if (appender->index_count == Appender::kMostIndexes)
    elog(ERROR, "too many indexes on \"%s\"", RelationGetRelationName(appender->table));
  Relation const relation = index_open(number, RowExclusiveLock);
  // REINDEX CONCURRENTLY and CREATE INDEX CONCURRENTLY have made it, and not built it yet.
  if (!relation->rd_index->indisready) return index_close(relation, NoLock);
  Appender::Index& index = appender->indexes[appender->index_count++];
  index.relation = relation;
  index.info = nullptr;
  index.is_partial = !heap_attisnull(index.relation->rd_indextuple, Anum_pg_index_indpred, nullptr);
}

// The condition says that the first column of the index is not NULL.
bool is_not_null_test(const List* condition, AttrNumber column) {
  if (list_length(condition) != 1 || !IsA(linitial(condition), NullTest)) return false;
  const auto* const test = linitial_node(NullTest, condition);
  return test->nulltesttype == IS_NOT_NULL && IsA(test->arg, Var) &&
         reinterpret_cast<const Var*>(test->arg)->varattno == column;
}

// Evaluates the condition of a partial index for the row, as the executor does.
bool meets_condition(Appender& appender, IndexInfo* info, const Datum* values, const bool* nulls) {
  const TupleDesc columns = RelationGetDescr(appender.table);
  if (appender.executor == nullptr) {
    appender.executor = CreateExecutorState();
    appender.row = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
  }
  ExecClearTuple(appender.row);
  const auto count = static_cast<Size>(columns->natts);
  memcpy(appender.row->tts_values, values, count * sizeof(Datum));
  memcpy(appender.row->tts_isnull, nulls, count * sizeof(bool));
  ExecStoreVirtualTuple(appender.row);
  if (info->ii_PredicateState == nullptr)
    info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, appender.executor);
  ExprContext* const context = GetPerTupleExprContext(appender.executor);
  context->ecxt_scantuple = appender.row;
  const bool is_met = ExecQual(info->ii_PredicateState, context);
  ResetPerTupleExprContext(appender.executor);
  return is_met;
}

void add_index_entries(Appender& appender, const Datum* values, const bool* nulls,
                       ItemPointer place) {
  for (int i = 0; i < appender.index_count; ++i) {
    Appender::Index& index = appender.indexes[i];
    const Form_pg_index form = index.relation->rd_index;
    if (index.is_partial && nulls[form->indkey.values[0] - 1]) continue;
    if (index.info == nullptr) index.info = BuildIndexInfo(index.relation);
    if (index.is_partial && !is_not_null_test(index.info->ii_Predicate, form->indkey.values[0]) &&
        !meets_condition(appender, index.info, values, nulls))
      continue;
    Datum keys[INDEX_MAX_KEYS];
    bool key_nulls[INDEX_MAX_KEYS];
    for (int k = 0; k < form->indnatts; ++k) {
      keys[k] = values[form->indkey.values[k] - 1];
      key_nulls[k] = nulls[form->indkey.values[k] - 1];
    }
    (void)index_insert(index.relation, keys, key_nulls, place, appender.table,
                       form->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, index.info);
  }
}

}  // namespace

bool open_appender(Appender* appender, Oid table) {
  appender->table = try_table_open(table, RowExclusiveLock);
  appender->index_count = 0;
  appender->executor = nullptr;
  if (appender->table == nullptr) return false;
  appender->command = GetCurrentCommandId(true);
  List* const indexes = RelationGetIndexList(appender->table);
  for (int i = 0; i < list_length(indexes); ++i) open_index(appender, list_nth_oid(indexes, i));
  list_free(indexes);
  return true;
}

ItemPointerData append_row(Appender& appender, Datum* values, bool* nulls) {
  HeapTuple const row = heap_form_tuple(RelationGetDescr(appender.table), values, nulls);
  row->t_tableOid = RelationGetRelid(appender.table);
  heap_insert(appender.table, row, appender.command, 0, nullptr);
  const ItemPointerData place = row->t_self;
  heap_freetuple(row);
  ItemPointerData indexed = place;
  add_index_entries(appender, values, nulls, &indexed);
  return place;
}

TupleTableSlot* next_row(const Appender& appender, RowBatch& batch) {
  if (batch.count == batch.slot_count)
    batch.slots[batch.slot_count++] =
        MakeSingleTupleTableSlot(RelationGetDescr(appender.table), &TTSOpsVirtual);
  return ExecStoreVirtualTuple(batch.slots[batch.count++]);
}

void append_rows(Appender& appender, RowBatch& batch) {
  if (batch.count == 0) return;
  // heap_multi_insert() leaves the tuples that it forms in the current context.
  if (batch.memory == nullptr)
    batch.memory = AllocSetContextCreate(CurrentMemoryContext, "metrics_refresh appended rows",
                                         ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(batch.memory);
  heap_multi_insert(appender.table, batch.slots, batch.count, appender.command, 0, nullptr);
  MemoryContextSwitchTo(before);
  for (int i = 0; i < batch.count; ++i) {
    TupleTableSlot* const row = batch.slots[i];
    add_index_entries(appender, row->tts_values, row->tts_isnull, &row->tts_tid);
  }
  MemoryContextReset(batch.memory);
}

void clear_rows(RowBatch& batch) {
  for (int i = 0; i < batch.count; ++i) ExecClearTuple(batch.slots[i]);
  batch.count = 0;
}

void drop_rows(RowBatch& batch) {
  for (int i = 0; i < batch.slot_count; ++i) ExecDropSingleTupleTableSlot(batch.slots[i]);
  if (batch.memory != nullptr) MemoryContextDelete(batch.memory);
  batch = RowBatch{};
}

void close_appender(Appender& appender) {
  for (int i = 0; i < appender.index_count; ++i) {
    Appender::Index& index = appender.indexes[i];
#if PG_VERSION_NUM >= 170000
    if (index.info != nullptr) index_insert_cleanup(index.relation, index.info);
#endif
    index_close(index.relation, NoLock);
  }
  if (appender.executor != nullptr) {
    ExecDropSingleTupleTableSlot(appender.row);
    FreeExecutorState(appender.executor);
  }
  table_close(appender.table, NoLock);
}

}  // namespace metrics_refresh::pg
