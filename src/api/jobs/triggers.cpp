// The triggers of the tables job, job_member, run_request and incremental_view, and the check that
// CREATE EXTENSION makes first.
//
// before_write checks times and resolves names to oids. after_write reports the change to the
// scheduler. The checks are in triggers and not in the SQL functions. Rows also come from
// pg_restore, from logical replication, and from a superuser's own statements.
#include "api/schedule_text.hpp"

#include "api/arguments.hpp"
#include "engine/view/view.hpp"
#include "extension/own_schema.hpp"
#include "pg/role.hpp"
#include "pg/table_growth.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "store/job_changes.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::api {
namespace {

[[noreturn]] void refuse_call(const char* message) {
  throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, message);
}

TriggerData* trigger_data(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call)) refuse_call("the function may only be called as a trigger");
  auto* data = reinterpret_cast<TriggerData*>(call->context);
  const Oid table = RelationGetRelid(data->tg_relation);
  if (!pg::call([table] {
        return get_rel_namespace(table) == get_namespace_oid(extension::kInternalSchema, true);
      }))
    refuse_call("the function is for tables of metrics_refresh");
  // A statement trigger has no row.
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

std::optional<Datum> column_value(HeapTuple tuple, TupleDesc description, const char* name) {
  bool is_null = false;
  const Datum value = pg::call(
      [&] { return SPI_getbinval(tuple, description, SPI_fnumber(description, name), &is_null); });
  if (is_null) return std::nullopt;
  return value;
}

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

// A copy of the row with one column changed.
HeapTuple with_value(HeapTuple tuple, TupleDesc description, const char* column, Datum value) {
  return pg::call([=] {
    int number = SPI_fnumber(description, column);
    Datum values[] = {value};
    bool is_null = false;
    return heap_modify_tuple_by_cols(tuple, description, 1, &number, values, &is_null);
  });
}

// A row before it is written.
struct NewRow {
  bool update;
  HeapTuple old;  // of an update
  HeapTuple row;
  TupleDesc description;

  std::optional<std::string> text(const char* column) const {
    return text_column(row, description, column);
  }
  // True for an insert, and for an update that changes the column.
  bool is_new(const char* column) const {
    return !update || text_column(old, description, column) != text(column);
  }
  void set(const char* column, Datum value) { row = with_value(row, description, column, value); }
  // The tables have different columns, but share this code.
  bool has(const char* column) const {
    return pg::call([this, column] { return SPI_fnumber(description, column) > 0; });
  }
  bool is_true(const char* column) const { return text(column) == "t"; }

  // Resolves the owner if it was named in this statement. The oid is 0 if the row says that the
  // owner is gone.
  void bind_owner() {
    if (update && is_true("owner_gone") && !is_new("owner_gone") &&
        (is_new("owner") || is_new("owner_oid")))
      // The job is given to another role.
      set("owner_gone", BoolGetDatum(false));
    if (!is_new("owner") && !is_new("owner_gone")) return;
    set("owner_oid",
        ObjectIdGetDatum(is_true("owner_gone") ? InvalidOid
                                               : pg::role_oid(text("owner").value_or(""))));
  }

  // Resolves the view if it was named in this statement.
  void bind_view() {
    if (!is_new("view_schema") && !is_new("view_name")) return;
    store::BoundView bound;
    bound.view_schema = text("view_schema").value_or("");
    bound.view_name = text("view_name").value_or("");
    // A row from a dump may have a given name.
    if (has("given_name")) {
      bound.given_schema = text("given_schema").value_or("");
      bound.given_name = text("given_name").value_or("");
    }
    set("view_oid", ObjectIdGetDatum(engine::resolve_view(bound)));
  }

  // Stores the present owner of the view. The last owner stays in the row if the view is dropped. A
  // number of a role that comes from a dump is replaced.
  void bind_view_owner() {
    const Oid view = DatumGetObjectId(column_value(row, description, "view_oid").value_or(0));
    const Oid owner = engine::relation_owner(view);
    if (update && !OidIsValid(owner)) return;
    set("owner_oid", ObjectIdGetDatum(owner));
  }
};

NewRow new_row(FunctionCallInfo call) {
  const TriggerData* data = trigger_data(call);
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) || !TRIGGER_FIRED_BEFORE(data->tg_event))
    refuse_call("the function is for BEFORE triggers of rows");
  // One transaction can insert many rows one by one. Plans that were made while the table was
  // nearly empty must not stay.
  pg::replan_if_grown(data->tg_relation);
  const bool update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
  return {update, update ? data->tg_trigtuple : nullptr,
          update ? data->tg_newtuple : data->tg_trigtuple, RelationGetDescr(data->tg_relation)};
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
