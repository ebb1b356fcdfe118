#include "engine/diff/diff.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/key_queries.hpp"
#include "pg/compat_execution.hpp"

// The view is read first, then the definition is run. Both streams of rows go to the matcher, which
// pairs equal rows and keeps only the rest. The rest is written into the view at the end. So a
// refresh that changes nothing writes nothing, and memory depends on the number of rows of the
// view, not on their size.

namespace metrics_refresh::engine {
namespace {

// The command that the server's errors name.
constexpr char kCommand[] = "REFRESH MATERIALIZED VIEW";

// Adds up the hashes of rows; the order of the rows does not matter.
struct RowAdder {
  RowSums* sums;  // null: no sums are wanted
  MemoryContext memory = nullptr;

  explicit RowAdder(RowSums* asked_for) : sums(asked_for) {
    if (sums == nullptr) return;
    memory =
        AllocSetContextCreate(CurrentMemoryContext, "metrics_refresh row", ALLOCSET_DEFAULT_SIZES);
  }
  void add(TupleTableSlot* row, core::RowHash RowSums::*side) {
    if (sums == nullptr) return;
    const MemoryContext before = MemoryContextSwitchTo(memory);
    const core::RowHash hash = sums->hasher.hash(row, sums->columns, sums->column_count);
    MemoryContextSwitchTo(before);
    MemoryContextReset(memory);
    (sums->*side).high += hash.high;
    (sums->*side).low += hash.low;
  }
};

// Destinations of the executor. The executor passes the DestReceiver, which must be the first
// member.
struct Receiver {
  DestReceiver base;
  RowMatcher* matcher;
  ProgressMeter* meter;
  RowAdder* adder;
};

struct ViewReceiver {
  Receiver receiver;
  TupleTableSlot* row;  // the row without its ctid
};

bool receive_new(TupleTableSlot* slot, DestReceiver* self) {
  auto* const receiver = reinterpret_cast<Receiver*>(self);
  receiver->adder->add(slot, &RowSums::new_rows);
  receiver->matcher->add_new(slot);
  receiver->meter->row_read();
  return true;
}

// Receives a row of the view, whose ctid follows its columns.
bool receive_old(TupleTableSlot* slot, DestReceiver* self) {
  auto* const receiver = reinterpret_cast<ViewReceiver*>(self);
  TupleTableSlot* const row = receiver->row;
  const int count = row->tts_tupleDescriptor->natts;
  slot_getallattrs(slot);
  ExecClearTuple(row);
  for (int i = 0; i < count; ++i) {
    row->tts_values[i] = slot->tts_values[i];
    row->tts_isnull[i] = slot->tts_isnull[i];
  }
  ExecStoreVirtualTuple(row);
  row->tts_tid = *reinterpret_cast<ItemPointer>(DatumGetPointer(slot->tts_values[count]));
  receiver->receiver.matcher->add_old(row);
  receiver->receiver.meter->row_read();
  return true;
}

// The estimate comes from the file size and pg_class, so it is available before the first ANALYZE.
double expected_rows(Relation view) {
  BlockNumber pages;
  double rows;
  double all_visible;
  estimate_rel_size(view, nullptr, &pages, &rows, &all_visible);
  return rows;
}

void read_view_rows(Relation view, RowMatcher* matcher, ProgressMeter* meter, RowAdder* adder) {
  // A sequential scan without the executor: a plain SELECT would only add overhead for each row.
  TupleTableSlot* const slot = table_slot_create(view, nullptr);
  TableScanDesc const scan = pg::begin_scan(view, GetActiveSnapshot());
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    CHECK_FOR_INTERRUPTS();
    adder->add(slot, &RowSums::old_rows);
    matcher->add_old(slot);
    meter->row_read();
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
}

void read_some_view_rows(Relation view, Node* condition, RowMatcher* matcher, ProgressMeter* meter,
                         const char* text) {
  ViewReceiver receiver = {{receiver_calling(receive_old), matcher, meter, nullptr},
                           MakeSingleTupleTableSlot(RelationGetDescr(view), &TTSOpsVirtual)};
  run_plan(plan_query(select_from_view(view, condition), text, true), &receiver.receiver.base,
           text);
  ExecDropSingleTupleTableSlot(receiver.row);
}

// The initial size of the hash table if there is a condition. The table grows when needed.
constexpr double kSomeRows = 1000;

}  // namespace

void add_view_rows(Oid oid, RowSums& sums, core::RowHash RowSums::*side) {
  const MemoryContext context = AllocSetContextCreate(
      CurTransactionContext, "metrics_refresh rows of a view", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(context);
  RowAdder adder(&sums);
  Relation const view = table_open(oid, NoLock);
  TupleTableSlot* const slot = table_slot_create(view, nullptr);
  TableScanDesc const scan = pg::begin_scan(view, GetActiveSnapshot());
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    CHECK_FOR_INTERRUPTS();
    adder.add(slot, side);
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  table_close(view, NoLock);
  MemoryContextSwitchTo(before);
  MemoryContextDelete(context);
}

Relation open_for_refresh(Oid oid) {
  // The caller holds the lock.
  PreventCommandIfReadOnly(kCommand);
  Relation view = table_open(oid, NoLock);
  CheckTableNotInUse(view, kCommand);
  return view;
}

Difference refresh_by_difference(Relation view, Node* condition, const char* text,
                                 WrittenRows& rows, RowSums* sums) {
  // This is a child of the transaction's context, so an error frees it with the subtransaction.
  const MemoryContext context = AllocSetContextCreate(
      CurTransactionContext, "metrics_refresh difference", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(context);

  ProgressMeter meter;
  RowMatcher matcher;
  RowAdder adder(condition != nullptr ? nullptr : sums);
  const double expected = condition != nullptr ? kSomeRows : expected_rows(view);
  matcher.init(RelationGetDescr(view), expected);
  meter.begin(shmem::Phase::kView, static_cast<int64>(expected));
  if (condition != nullptr)
    read_some_view_rows(view, condition, &matcher, &meter, text);
  else
    read_view_rows(view, &matcher, &meter, &adder);
  // The planner gets a copy: it modifies its input, and the definition belongs to the relation
  // cache.
  meter.begin(shmem::Phase::kQuery, matcher.old_rows());
  Receiver receiver = {receiver_calling(receive_new), &matcher, &meter, &adder};
  Query* const query = condition != nullptr
                           ? select_from_definition(definition_of(view), condition)
                           : static_cast<Query*>(copyObjectImpl(definition_of(view)));
  run_plan(plan_query(query, text, condition != nullptr), &receiver.base, text);
  if (matcher.has_files()) meter.begin(shmem::Phase::kCompare, matcher.new_rows());
  matcher.finish();
  meter.begin(shmem::Phase::kWrite, matcher.only_old_rows() + matcher.only_new_rows());
  const Difference difference = {matcher.new_rows(), write_difference(view, matcher, meter, rows)};

  meter.end();
  // These may have temporary files, which the memory context does not close.
  tuplesort_end(matcher.only_old());
  tuplestore_end(matcher.only_new());
  MemoryContextSwitchTo(before);
  MemoryContextDelete(context);
  return difference;
}

}  // namespace metrics_refresh::engine
