// Rows of the queue that come through the executor, from outside. The extension writes its own jobs
// below it, so COPY and INSERT are one of two cases:
//
// - A dump is restored. Ready jobs are put into queue_later instead, and enter by the mover like
//   all others, exactly once. Numbers of roles in a dump mean nothing, so a job is enqueued by no
//   role.
// - An apply worker of logical replication copies the rows of a publisher. A job belongs to the
//   publisher, and would run a second time here. Its changes are discarded, too: the numbers are
//   those of other jobs here.
//
// The extension changes and deletes rows of queue_later and of smaller tables with SQL.
#include "pg/guard.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

const TriggerData* trigger_data(FunctionCallInfo fcinfo) {
  const auto* const data = static_cast<const TriggerData*>(static_cast<void*>(fcinfo->context));
  if (!CALLED_AS_TRIGGER(fcinfo) || data->tg_trigger->tgnargs != 1)
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("the function is for the triggers of the job queue")));
  return data;
}

// A trigger BEFORE INSERT sees the row before row-level security judges it.
void refuse_under_row_security(Relation table) {
  if (check_enable_rls(RelationGetRelid(table), InvalidOid, true) != RLS_ENABLED) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("new row violates row-level security policy for table \"%s\"",
                         RelationGetRelationName(table)),
                  errhint("Add jobs with metrics_refresh.enqueue().")));
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

// Returns the row to write, or null to leave it out.
HeapTuple row_to_write(const TriggerData* data) {
  if (IsLogicalWorker()) return nullptr;
  if (TRIGGER_FIRED_BY_UPDATE(data->tg_event)) return data->tg_newtuple;
  if (TRIGGER_FIRED_BY_DELETE(data->tg_event)) return data->tg_trigtuple;
  refuse_under_row_security(data->tg_relation);
  const char* const wanted = data->tg_trigger->tgargs[0];
  if (strcmp(wanted, "keep") == 0) return without_enqueuer(data);
  if (strcmp(wanted, "later") == 0) put_later(data);
  return nullptr;
}

Datum queue_row(FunctionCallInfo fcinfo) {
  return pg::call([fcinfo] { return PointerGetDatum(row_to_write(trigger_data(fcinfo))); });
}

}  // namespace

MR_SQL_FUNCTION(mr_queue_row, queue_row);

}  // namespace metrics_refresh::store::queue
