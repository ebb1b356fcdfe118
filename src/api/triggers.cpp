// The triggers of the tables job and run_request, and what CREATE EXTENSION asks first.
#include "core/schedule.hpp"

#include "api/arguments.hpp"
#include "api/schedule_text.hpp"
#include "engine/view.hpp"
#include "pg/privilege.hpp"
#include "shmem/area.hpp"
#include "store/job_changes.hpp"

namespace metrics_refresh::api {
namespace {

[[noreturn]] void refuse_call(const char* message) {
  throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, message);
}

TriggerData* trigger_data(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call)) refuse_call("the function may only be called as a trigger");
  auto* data = reinterpret_cast<TriggerData*>(call->context);
  // A statement's trigger has no row to look at.
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) && !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
    refuse_call("the function may only be called for each row");
  return data;
}

std::optional<std::string> text_column(HeapTuple tuple, TupleDesc description, const char* name) {
  const char* value = pg::call([=]() -> const char* {
    return SPI_getvalue(tuple, description, SPI_fnumber(description, name));
  });
  if (value == nullptr) return std::nullopt;
  return value;
}

// The row with one column set.
HeapTuple with_value(HeapTuple tuple, TupleDesc description, const char* column, Datum value) {
  return pg::call([=] {
    int number = SPI_fnumber(description, column);
    Datum values[] = {value};
    bool is_null = false;
    return heap_modify_tuple_by_cols(tuple, description, 1, &number, values, &is_null);
  });
}

// Every row that enters the table has a schedule that can be parsed and a zone that exists,
// whichever way it came: through a function, by hand, or from a dump. Names are resolved when they
// are written: so a rename is followed, and a role that is made anew under the name of a dropped
// one inherits no jobs.
Datum check_job(FunctionCallInfo call) {
  const TriggerData* data = trigger_data(call);
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) || !TRIGGER_FIRED_BEFORE(data->tg_event))
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                       "the function is for BEFORE triggers of rows");
  const bool update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
  HeapTuple tuple = update ? data->tg_newtuple : data->tg_trigtuple;
  TupleDesc const description = RelationGetDescr(data->tg_relation);
  const auto column = [&](const char* name) { return text_column(tuple, description, name); };
  const auto is_new = [&](const char* name) {
    return !update || text_column(data->tg_trigtuple, description, name) != column(name);
  };
  check_times(column("schedule"), column("timezone"));
  const bool new_owner = is_new("owner");
  if (is_new("view_schema") || is_new("view_name")) {
    const Oid view = engine::resolve_view(column("view_schema").value_or(""),
                                          column("view_name").value_or(""), InvalidOid);
    tuple = with_value(tuple, description, "view_oid", ObjectIdGetDatum(view));
  }
  if (new_owner)
    tuple = with_value(tuple, description, "owner_oid",
                       ObjectIdGetDatum(pg::role_oid(column("owner").value_or(""))));
  // A job that comes from a dump has missed nothing: its view has just been filled.
  if (!update)
    tuple = with_value(tuple, description, "effective_from",
                       TimestampTzGetDatum(GetCurrentTimestamp()));
  return PointerGetDatum(tuple);
}

Datum note_change(FunctionCallInfo call) {
  const TriggerData* data = trigger_data(call);
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event)) {
    store::note_all_changed();
    return PointerGetDatum(nullptr);
  }
  HeapTuple const tuple = data->tg_trigtuple;
  TupleDesc const description = RelationGetDescr(data->tg_relation);
  const Datum job_id = pg::call([=] {
    bool is_null;
    return SPI_getbinval(tuple, description, SPI_fnumber(description, "job_id"), &is_null);
  });
  store::note_changed(DatumGetInt64(job_id));
  return PointerGetDatum(nullptr);
}

}  // namespace
}  // namespace metrics_refresh::api

extern "C" {
MR_SQL_FUNCTION(mr_require_preload);
MR_SQL_FUNCTION(mr_job_before_write);
MR_SQL_FUNCTION(mr_job_after_write);

Datum mr_require_preload(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return metrics_refresh::pg::boundary([] {
    (void)metrics_refresh::shmem::required_area();
    return Datum{0};
  });
}
Datum mr_job_before_write(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::check_job(fcinfo); });
}
Datum mr_job_after_write(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::note_change(fcinfo); });
}
}
