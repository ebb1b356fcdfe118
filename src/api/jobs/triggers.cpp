// The triggers of the tables job, job_member, run_request and incremental_view, and the check that
// CREATE EXTENSION makes first.
//
// before_write checks times and resolves names to oids. after_write reports the change to the
// scheduler. The checks are in triggers and not in the SQL functions. Rows also come from
// pg_restore, from logical replication, and from a superuser's own statements.
#include "api/schedule_text.hpp"

#include "api/new_row.hpp"
#include "pg/table_growth.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "store/job_changes.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::api {
namespace {

// Infinity would be a second way to say that there is no bound.
std::optional<core::Instant> time_column(HeapTuple tuple, TupleDesc description, const char* name) {
  const std::optional<Datum> value = column_value(tuple, description, name);
  if (!value) return std::nullopt;
  const TimestampTz time = DatumGetTimestampTz(*value);
  if (TIMESTAMP_NOT_FINITE(time))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, std::string(name) + " must be finite",
                       "NULL means that there is none.");
  return pg::to_instant(time);
}

TimesText times_of(const NewRow& row) {
  TimesText times{row.text("job_name").value_or(""),
                  row.text("schedule"),
                  row.text("timezone"),
                  time_column(row.row, row.description, "starts_at"),
                  time_column(row.row, row.description, "ends_at"),
                  {}};
  if (const auto windows = column_value(row.row, row.description, "blackout"))
    times.blackout = pg::texts_of(*windows, "blackout");
  return times;
}

// All rows of the table have times that can be parsed and a zone that exists. Rows come from
// functions, from manual INSERTs, and from dumps. Names are resolved when they are written. A job
// thus follows a rename, and a role that is created later with the name of a dropped role inherits
// no jobs.
Datum check_job(FunctionCallInfo call) {
  NewRow row = new_row(call);
  for (const char* const column :
       {"job_name", "schedule", "timezone", "starts_at", "ends_at", "blackout"}) {
    if (!row.is_new(column)) continue;
    check_times(times_of(row), pg::now());
    break;
  }
  row.bind_view();
  row.bind_owner();
  // A restored job has missed nothing, because its view has just been filled.
  if (!row.update) row.set("effective_from", TimestampTzGetDatum(GetCurrentTimestamp()));
  return PointerGetDatum(row.row);
}

Datum check_member(FunctionCallInfo call) {
  NewRow row = new_row(call);
  row.bind_view();
  if (row.has("owner_oid")) row.bind_view_owner();
  return PointerGetDatum(row.row);
}

Datum note_change(FunctionCallInfo call) {
  const TriggerData* data = trigger_data(call);
  // TRUNCATE can change all jobs.
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event)) {
    store::note_all_changed();
    return Datum{0};
  }
  HeapTuple const tuple = data->tg_trigtuple;
  TupleDesc const description = RelationGetDescr(data->tg_relation);
  pg::replan_if_grown(data->tg_relation);
  const bool is_job = strcmp(RelationGetRelationName(data->tg_relation), "job") == 0;
  if (is_job && TRIGGER_FIRED_BY_INSERT(data->tg_event))
    store::count_written_row(tuple, description);
  if (is_job && TRIGGER_FIRED_BY_UPDATE(data->tg_event))
    store::count_written_row(data->tg_newtuple, description);
  // Both tables, job and run_request, have this column.
  const Datum job_id = pg::call([=] {
    bool is_null;
    return SPI_getbinval(tuple, description, SPI_fnumber(description, "job_id"), &is_null);
  });
  store::note_changed(DatumGetInt64(job_id));
  return Datum{0};
}

Datum require_preload(FunctionCallInfo) {
  shmem::require_preloaded();
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_require_preload, require_preload);
MR_SQL_FUNCTION(mr_job_before_write, check_job);
MR_SQL_FUNCTION(mr_member_before_write, check_member);
MR_SQL_FUNCTION(mr_job_after_write, note_change);

}  // namespace metrics_refresh::api
