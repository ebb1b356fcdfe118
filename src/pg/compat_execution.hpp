// Planning, execution, and access to rows: server functions whose arguments have changed since
// PostgreSQL 15. REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// `options` are those of cursors, CURSOR_OPT_...
inline PlannedStmt* plan(Query* query, const char* text, int options) {
#if PG_VERSION_NUM >= 190000
  return pg_plan_query(query, text, options, nullptr, nullptr);
#else
  return pg_plan_query(query, text, options, nullptr);
#endif
}

/// Runs a started plan to its end.
inline void run_to_end(QueryDesc* description) {
#if PG_VERSION_NUM >= 180000
  ExecutorRun(description, ForwardScanDirection, 0);
#else
  ExecutorRun(description, ForwardScanDirection, 0, true);
#endif
}

/// A scan of all rows that are visible to the snapshot.
inline TableScanDesc begin_scan(Relation table, Snapshot snapshot) {
#if PG_VERSION_NUM >= 190000
  return table_beginscan(table, snapshot, 0, nullptr, SO_NONE);
#else
  return table_beginscan(table, snapshot, 0, nullptr);
#endif
}

/// A scan of an index for rows that are visible to the snapshot, before index_rescan().
inline IndexScanDesc begin_index_scan(Relation table, Relation index, Snapshot snapshot, int keys) {
#if PG_VERSION_NUM >= 190000
  return index_beginscan(table, index, snapshot, nullptr, keys, 0, 0);
#elif PG_VERSION_NUM >= 180000
  return index_beginscan(table, index, snapshot, nullptr, keys, 0);
#else
  return index_beginscan(table, index, snapshot, keys, 0);
#endif
}

/// Gives tables new and empty files. They are open, with exclusive locks. `logged` are those whose
/// changes logical decoding sees.
inline void truncate_tables(List* relations, List* numbers, List* logged) {
#if PG_VERSION_NUM >= 160000
  ExecuteTruncateGuts(relations, numbers, logged, DROP_RESTRICT, false, false);
#else
  ExecuteTruncateGuts(relations, numbers, logged, DROP_RESTRICT, false);
#endif
}

/// The indexes that need an entry for the new version of a row.
struct IndexesToUpdate {
  bool any;
  bool only_summarizing;  // since PostgreSQL 16
};

/// Waits for a transaction that has changed the row.
inline TM_Result delete_row(Relation table, ItemPointer place, CommandId command,
                            Snapshot snapshot) {
  TM_FailureData failure;
#if PG_VERSION_NUM >= 190000
  return table_tuple_delete(table, place, command, 0, snapshot, InvalidSnapshot, true, &failure);
#else
  return table_tuple_delete(table, place, command, snapshot, InvalidSnapshot, true, &failure,
                            false);
#endif
}

/// The same.
inline TM_Result update_row(Relation table, ItemPointer place, TupleTableSlot* row,
                            CommandId command, Snapshot snapshot, IndexesToUpdate* indexes) {
  TM_FailureData failure;
  LockTupleMode mode;
#if PG_VERSION_NUM >= 160000
  TU_UpdateIndexes which = TU_None;
#if PG_VERSION_NUM >= 190000
  const TM_Result result = table_tuple_update(table, place, row, command, 0, snapshot,
                                              InvalidSnapshot, true, &failure, &mode, &which);
#else
  const TM_Result result = table_tuple_update(table, place, row, command, snapshot, InvalidSnapshot,
                                              true, &failure, &mode, &which);
#endif
  *indexes = {which != TU_None, which == TU_Summarizing};
#else
  bool any = false;
  const TM_Result result = table_tuple_update(table, place, row, command, snapshot, InvalidSnapshot,
                                              true, &failure, &mode, &any);
  *indexes = {any, false};
#endif
  return result;
}

/// Inserts the entries of a row into all indexes, or only into those that summarize rows. Unique
/// indexes are checked.
inline void insert_index_entries(ResultRelInfo* target, TupleTableSlot* row, EState* state,
                                 [[maybe_unused]] bool only_summarizing) {
#if PG_VERSION_NUM >= 190000
  (void)ExecInsertIndexTuples(target, state, only_summarizing ? EIIT_ONLY_SUMMARIZING : 0, row, NIL,
                              nullptr);
#elif PG_VERSION_NUM >= 160000
  (void)ExecInsertIndexTuples(target, row, state, false, false, nullptr, NIL, only_summarizing);
#else
  (void)ExecInsertIndexTuples(target, row, state, false, false, nullptr, NIL);
#endif
}

/// Fetches the next value in sort order. False at the end.
inline bool next_sorted(Tuplesortstate* sort, Datum* value, bool* is_null) {
#if PG_VERSION_NUM >= 160000
  return tuplesort_getdatum(sort, true, false, value, is_null, nullptr);
#else
  return tuplesort_getdatum(sort, true, value, is_null, nullptr);
#endif
}

}  // namespace metrics_refresh::pg
