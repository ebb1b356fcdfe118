#include "engine/diff/view_writer.hpp"

#include "pg/compat_execution.hpp"

// The difference is written in three steps: update, delete, insert. An update replaces an old row
// by a new one with the same values in all columns of unique indexes. So it cannot collide with
// another row. The deletions then free all values that the view loses, and only after that new
// values are inserted. With any other order, a unique index could be violated although the final
// state is valid.
//
// Old rows are found by their ctid, which stays valid because the view is locked against other
// writers. If a row was changed after the snapshot was taken, its update or deletion fails.
//
// Example: the view has (1, a) and (2, b), the definition (1, c) and (3, a); the first column is
// unique
//   update (1, a) to (1, c); delete (2, b); insert (3, a)

namespace metrics_refresh::engine {
namespace {

// The columns in which the two versions of an updated row must agree.
struct PairColumns {
  bool can_pair;
  int count;
  AttrNumber columns[MaxHeapAttributeNumber];
};

// The numbers in the bitmap are shifted as in the server, so that system columns have a place.
Bitmapset* add_columns_of(Bitmapset* columns, Relation index) {
  const Form_pg_index form = index->rd_index;
  // A column number of 0 stands for an expression.
  for (int i = 0; i < form->indnkeyatts; ++i)
    if (form->indkey.values[i] != 0)
      columns =
          bms_add_member(columns, form->indkey.values[i] - FirstLowInvalidHeapAttributeNumber);
  pull_varattnos(reinterpret_cast<Node*>(RelationGetIndexExpressions(index)), 1, &columns);
  pull_varattnos(reinterpret_cast<Node*>(RelationGetIndexPredicate(index)), 1, &columns);
  return columns;
}

PairColumns pair_columns(const ResultRelInfo* target) {
  // Without a unique index, columns of all indexes must agree. Then the update can be HOT, and
  // needs no new index entries.
  Bitmapset* of_unique = nullptr;
  Bitmapset* of_all = nullptr;
  bool unique = false;
  for (int i = 0; i < target->ri_NumIndices; ++i) {
    Relation index = target->ri_IndexRelationDescs[i];
    if (index->rd_index->indisunique) {
      unique = true;
      of_unique = add_columns_of(of_unique, index);
    }
    of_all = add_columns_of(of_all, index);
  }
  PairColumns result = {};
  result.can_pair = true;
  int member = -1;
  while ((member = bms_next_member(unique ? of_unique : of_all, member)) >= 0) {
    const int column = member + FirstLowInvalidHeapAttributeNumber;
    if (column <= 0)
      result.can_pair = false;  // an index expression refers to the whole row
    else
      result.columns[result.count++] = static_cast<AttrNumber>(column);
  }
  return result;
}

struct Writer {
  Relation view;
  const RowMatcher& matcher;
  ProgressMeter& meter;
  EState* state;
  ResultRelInfo* target;
  Snapshot snapshot;
  CommandId command;
  TupleTableSlot* stored;    // a slot of the view's table access method
  TupleTableSlot* incoming;  // a slot for the rows of the matcher
  PairColumns pair;
  RowHasher hasher;
  MemoryContext row_context;
  Tuplesortstate* deletions;  // places of old rows that were not updated
  uint8* is_written;          // by number of the incoming row
  WrittenRows& rows;          // receives every written row
  Written written;

  Writer(Relation view_, const RowMatcher& matcher_, ProgressMeter& meter_, WrittenRows& rows_)
      : view(view_), matcher(matcher_), meter(meter_), hasher(), rows(rows_), written() {}

  void open();
  void close();
  void update_pairs();
  void update(core::RowLocation place);
  void delete_rows(Tuplesortstate* places);
  void insert_rows();
  core::RowHash pair_hash(TupleTableSlot* slot);
  void fetch(core::RowLocation place);
  void capture_old(core::RowLocation place);
  void copy_incoming();
  void add_index_entries(bool only_summarizing);
};

[[noreturn]] void refuse_concurrent_change(Relation view) {
  ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                  errmsg("could not refresh materialized view \"%s\" due to a concurrent change",
                         RelationGetRelationName(view)),
                  errdetail("The transaction's snapshot is older than the last refresh."),
                  errhint("The refresh can be tried again.")));
  pg_unreachable();
}

// Reads the next place in ascending order. Returns false at the end.
bool next_place(Tuplesortstate* places, core::RowLocation* place) {
  Datum value;
  bool is_null;
  if (!pg::next_sorted(places, &value, &is_null)) return false;
  *place = static_cast<core::RowLocation>(DatumGetInt64(value));
  return true;
}

void Writer::open() {
  command = GetCurrentCommandId(true);
  snapshot = GetActiveSnapshot();
  state = CreateExecutorState();
  target = makeNode(ResultRelInfo);
  InitResultRelInfo(target, view, 0, nullptr, 0);
  // Every writer of rows holds this lock at commit, and by it the change of the view is counted
  // (shmem/change_counters.hpp).
  LockRelationOid(RelationGetRelid(view), RowExclusiveLock);
  ExecOpenIndices(target, false);
  stored = table_slot_create(view, nullptr);
  incoming = MakeSingleTupleTableSlot(RelationGetDescr(view), &TTSOpsMinimalTuple);
  row_context =
      AllocSetContextCreate(CurrentMemoryContext, "metrics_refresh row", ALLOCSET_DEFAULT_SIZES);
  hasher.init();
  // It must be ready before the first row is written.
  rows.open(view);
  pair = pair_columns(target);
  is_written = static_cast<uint8*>(MemoryContextAllocExtended(
      CurrentMemoryContext, static_cast<Size>(matcher.only_new_rows()) / 8 + 1,
      MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
}

void Writer::close() {
  rows.close();
  ExecDropSingleTupleTableSlot(stored);
  ExecDropSingleTupleTableSlot(incoming);
  ExecCloseIndices(target);
  FreeExecutorState(state);
  // Makes the written rows visible to later commands, such as an audit.
  CommandCounterIncrement();
}

core::RowHash Writer::pair_hash(TupleTableSlot* slot) {
  const MemoryContext before = MemoryContextSwitchTo(row_context);
  const core::RowHash hash = hasher.hash(slot, pair.columns, pair.count);
  MemoryContextSwitchTo(before);
  MemoryContextReset(row_context);
  return hash;
}

void Writer::fetch(core::RowLocation place) {
  ItemPointerData tid = to_tid(place);
  if (!table_tuple_fetch_row_version(view, &tid, snapshot, stored)) refuse_concurrent_change(view);
}

void Writer::capture_old(core::RowLocation place) {
  if (!rows.any()) return;
  fetch(place);
  rows.put(stored);
}

// Copies the incoming row into a slot that the table accepts.
void Writer::copy_incoming() {
  ExecCopySlot(stored, incoming);
  stored->tts_tableOid = RelationGetRelid(view);
}

void Writer::add_index_entries(bool only_summarizing) {
  // An update can be HOT with BRIN indexes on the columns, since PostgreSQL 16.
  if (target->ri_NumIndices == 0) return;
  pg::insert_index_entries(target, stored, state, only_summarizing);
  ResetPerTupleExprContext(state);
}

void Writer::update(core::RowLocation place) {
  ItemPointerData tid = to_tid(place);
  capture_old(place);
  copy_incoming();
  pg::IndexesToUpdate indexes = {};
  if (pg::update_row(view, &tid, stored, command, snapshot, &indexes) != TM_Ok)
    refuse_concurrent_change(view);
  if (indexes.any) add_index_entries(indexes.only_summarizing);
  if (rows.any()) rows.put(stored);
  ++written.updated;
  meter.row_changed();
}

// Pairing only saves work. Old rows for which the table has no room are deleted, and their new
// versions are inserted.
void Writer::update_pairs() {
  deletions =
      tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, work_mem, nullptr, 0);
  core::RowTable old_rows = make_table(static_cast<double>(matcher.only_old_rows()));
  core::RowLocation place;
  while (next_place(matcher.only_old(), &place)) {
    CHECK_FOR_INTERRUPTS();
    if (old_rows.has_room()) {
      // Without columns, all rows have the same hash, so no row needs to be read.
      if (pair.count > 0) fetch(place);
      (void)old_rows.put(pair_hash(stored), place);
    } else {
      tuplesort_putdatum(deletions, Int64GetDatum(static_cast<int64>(place)), false);
    }
  }
  for (uint64 i = 0; tuplestore_gettupleslot(matcher.only_new(), true, false, incoming); ++i) {
    CHECK_FOR_INTERRUPTS();
    if (const std::optional<core::RowLocation> old_row = old_rows.take(pair_hash(incoming))) {
      update(*old_row);
      is_written[i / 8] = static_cast<uint8>(is_written[i / 8] | 1U << (i % 8));
    }
  }
  // insert_rows() reads the new rows once more.
  tuplestore_rescan(matcher.only_new());
  old_rows.for_each([this](core::RowLocation left) {
    tuplesort_putdatum(deletions, Int64GetDatum(static_cast<int64>(left)), false);
  });
  tuplesort_performsort(deletions);
}

void Writer::delete_rows(Tuplesortstate* places) {
  core::RowLocation place;
  while (next_place(places, &place)) {
    // The order of places makes this one pass over the pages of the view.
    CHECK_FOR_INTERRUPTS();
    ItemPointerData tid = to_tid(place);
    capture_old(place);
    if (pg::delete_row(view, &tid, command, snapshot) != TM_Ok) refuse_concurrent_change(view);
    ++written.deleted;
    meter.row_changed();
  }
}

void Writer::insert_rows() {
  // Bulk inserts use a ring of buffers, so they do not evict the whole buffer cache.
  BulkInsertState const bulk = GetBulkInsertState();
  for (uint64 i = 0; tuplestore_gettupleslot(matcher.only_new(), true, false, incoming); ++i) {
    CHECK_FOR_INTERRUPTS();
    if ((is_written[i / 8] & 1U << (i % 8)) != 0) continue;
    copy_incoming();
    table_tuple_insert(view, stored, command, 0, bulk);
    add_index_entries(false);
    if (rows.any()) rows.put(stored);
    ++written.inserted;
    meter.row_changed();
  }
  FreeBulkInsertState(bulk);
}

// At repeatable read, the snapshot does not see rows that another refresh has inserted since. This
// refresh would insert them again.
void refuse_rows_after(Snapshot snapshot, Relation view) {
  Snapshot const latest = RegisterSnapshot(GetLatestSnapshot());
  TupleTableSlot* const slot = table_slot_create(view, nullptr);
  TableScanDesc const scan = pg::begin_scan(view, latest);
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    CHECK_FOR_INTERRUPTS();
    if (!table_tuple_satisfies_snapshot(view, slot, snapshot)) refuse_concurrent_change(view);
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  UnregisterSnapshot(latest);
}

}  // namespace

Written write_difference(Relation view, const RowMatcher& matcher, ProgressMeter& meter,
                         WrittenRows& rows) {
  Writer writer(view, matcher, meter, rows);
  // Without a difference, the lock of a writer is not taken, so the view does not count as changed.
  if (matcher.only_old_rows() == 0 && matcher.only_new_rows() == 0) return writer.written;
  if (IsolationUsesXactSnapshot()) refuse_rows_after(GetActiveSnapshot(), view);
  writer.open();
  const bool pairs =
      writer.pair.can_pair && matcher.only_old_rows() > 0 && matcher.only_new_rows() > 0;
  if (pairs) writer.update_pairs();
  writer.delete_rows(pairs ? writer.deletions : matcher.only_old());
  if (pairs) tuplesort_end(writer.deletions);  // it may have temporary files
  writer.insert_rows();
  writer.close();
  return writer.written;
}

}  // namespace metrics_refresh::engine
