#include "engine/diff.hpp"

#include "engine/definition.hpp"

namespace metrics_refresh::engine {
namespace {

// What errors say that we do.
constexpr char kCommand[] = "REFRESH MATERIALIZED VIEW";

// A destination of the executor, which calls it with itself.
struct Receiver {
  DestReceiver base;
  RowMatcher* matcher;
  ProgressMeter* meter;
};

bool receive(TupleTableSlot* slot, DestReceiver* self) {
  auto* const receiver = reinterpret_cast<Receiver*>(self);
  receiver->matcher->add_new(slot);
  receiver->meter->row_read();
  return true;
}

Receiver receiver_for(RowMatcher* matcher, ProgressMeter* meter) {
  Receiver receiver = {};
  receiver.base.receiveSlot = receive;
  receiver.base.rStartup = [](DestReceiver*, int, TupleDesc) {};
  receiver.base.rShutdown = [](DestReceiver*) {};
  receiver.base.rDestroy = [](DestReceiver*) {};
  receiver.base.mydest = DestNone;
  receiver.matcher = matcher;
  receiver.meter = meter;
  return receiver;
}

double expected_rows(Relation view) {
  BlockNumber pages;
  double rows;
  double all_visible;
  estimate_rel_size(view, nullptr, &pages, &rows, &all_visible);
  return rows;
}

void read_view_rows(Relation view, RowMatcher* matcher, ProgressMeter* meter) {
  TupleTableSlot* const slot = table_slot_create(view, nullptr);
  TableScanDesc const scan = table_beginscan(view, GetActiveSnapshot(), 0, nullptr);
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    CHECK_FOR_INTERRUPTS();
    matcher->add_old(slot);
    meter->row_read();
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
}

}  // namespace

Difference refresh_by_difference(Oid oid, const char* text) {
  PreventCommandIfReadOnly(kCommand);
  Relation view = table_open(oid, NoLock);
  CheckTableNotInUse(view, kCommand);
  // An error gives the memory back with the subtransaction that it ends.
  const MemoryContext context = AllocSetContextCreate(
      CurTransactionContext, "metrics_refresh difference", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(context);

  ProgressMeter meter;
  RowMatcher matcher{};
  const double expected = expected_rows(view);
  matcher.init(RelationGetDescr(view), expected);
  meter.begin(shmem::Phase::kView, static_cast<int64>(expected));
  read_view_rows(view, &matcher, &meter);
  meter.begin(shmem::Phase::kQuery, matcher.old_rows());
  Receiver receiver = receiver_for(&matcher, &meter);
  run_definition(view, &receiver.base, text);
  if (matcher.has_files()) meter.begin(shmem::Phase::kCompare, matcher.new_rows());
  matcher.finish();
  meter.begin(shmem::Phase::kWrite, matcher.only_old_rows() + matcher.only_new_rows());
  const Difference difference = {matcher.new_rows(), write_difference(view, matcher, meter)};

  meter.end();
  tuplesort_end(matcher.only_old());
  tuplestore_end(matcher.only_new());
  MemoryContextSwitchTo(before);
  MemoryContextDelete(context);
  table_close(view, NoLock);
  return difference;
}

}  // namespace metrics_refresh::engine
