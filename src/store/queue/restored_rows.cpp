// Rows of the queue that come through the executor. The extension writes its own rows below it, so
// these are from COPY or INSERT, which happens in two cases:
//
// - A dump is restored. Ready jobs are put into queue_later instead, and enter by the mover like
// all
//   others, exactly once. Numbers of roles in a dump mean nothing, so nobody has enqueued a job.
// - An apply worker of logical replication copies a publisher's rows. A job belongs to the
// publisher,
//   and would run a second time here.
#include "pg/guard.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

const TriggerData* trigger_data(FunctionCallInfo fcinfo) {
  if (!CALLED_AS_TRIGGER(fcinfo)) elog(ERROR, "restored_job() was not called by a trigger");
  return static_cast<const TriggerData*>(static_cast<const void*>(fcinfo->context));
}

void put_later(const TriggerData* data) {
  Datum values[kLaterColumns];
  bool nulls[kLaterColumns];
  heap_deform_tuple(data->tg_trigtuple, RelationGetDescr(data->tg_relation), values, nulls);
  values[kEnqueuedBy] = ObjectIdGetDatum(InvalidOid);
  values[kWaits] = Int16GetDatum(0);
  nulls[kWaits] = false;
  if (nulls[kRunAt]) values[kRunAt] = TimestampTzGetDatum(GetCurrentTimestamp());
  nulls[kRunAt] = false;
  pg::Appender later;
  open_queue_appender(&later, tables().later);
  (void)pg::append_row(later, values, nulls);
  pg::close_appender(later);
}

HeapTuple without_enqueuer(const TriggerData* data) {
  const TupleDesc columns = RelationGetDescr(data->tg_relation);
  int number = SPI_fnumber(columns, "enqueued_by");
  if (number <= 0) return data->tg_trigtuple;
  Datum nobody = ObjectIdGetDatum(InvalidOid);
  bool is_null = false;
  return heap_modify_tuple_by_cols(data->tg_trigtuple, columns, 1, &number, &nobody, &is_null);
}

Datum restored_job(FunctionCallInfo fcinfo) {
  return pg::call([fcinfo]() -> Datum {
    const TriggerData* const data = trigger_data(fcinfo);
    const char* const wanted = data->tg_trigger->tgargs[0];
    // A trigger that returns null leaves the row out.
    if (IsLogicalWorker() || strcmp(wanted, "discard") == 0) return PointerGetDatum(nullptr);
    if (strcmp(wanted, "keep") == 0) return PointerGetDatum(without_enqueuer(data));
    put_later(data);
    return PointerGetDatum(nullptr);
  });
}

}  // namespace

MR_SQL_FUNCTION(mr_restored_job, restored_job);

}  // namespace metrics_refresh::store::queue
