#include "api/new_row.hpp"

#include "engine/view/view.hpp"
#include "extension/own_schema.hpp"
#include "pg/role.hpp"
#include "pg/table_growth.hpp"

namespace metrics_refresh::api {
namespace {

// A copy of the row with one column changed.
HeapTuple with_value(HeapTuple tuple, TupleDesc description, const char* column, Datum value) {
  return pg::call([=] {
    int number = SPI_fnumber(description, column);
    Datum values[] = {value};
    bool is_null = false;
    return heap_modify_tuple_by_cols(tuple, description, 1, &number, values, &is_null);
  });
}

}  // namespace

void refuse_trigger_call(const char* message) {
  throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, message);
}

TriggerData* trigger_data(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call)) refuse_trigger_call("the function may only be called as a trigger");
  auto* data = reinterpret_cast<TriggerData*>(call->context);
  const Oid table = RelationGetRelid(data->tg_relation);
  if (!pg::call([table] {
        return get_rel_namespace(table) == get_namespace_oid(extension::kInternalSchema, true);
      }))
    refuse_trigger_call("the function is for tables of metrics_refresh");
  // A statement trigger has no row.
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) && !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
    refuse_trigger_call("the function may only be called for each row");
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

void NewRow::set(const char* column, Datum value) {
  row = with_value(row, description, column, value);
}

bool NewRow::has(const char* column) const {
  return pg::call([this, column] { return SPI_fnumber(description, column) > 0; });
}

void NewRow::bind_owner() {
  if (update && is_true("owner_gone") && !is_new("owner_gone") &&
      (is_new("owner") || is_new("owner_oid")))
    // The row is given to another role.
    set("owner_gone", BoolGetDatum(false));
  if (!is_new("owner") && !is_new("owner_gone")) return;
  set("owner_oid",
      ObjectIdGetDatum(is_true("owner_gone") ? InvalidOid
                                             : pg::role_oid(text("owner").value_or(""))));
}

void NewRow::bind_view() {
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

void NewRow::bind_view_owner() {
  const Oid view = DatumGetObjectId(value("view_oid").value_or(0));
  const Oid owner = engine::relation_owner(view);
  if (update && !OidIsValid(owner)) return;
  set("owner_oid", ObjectIdGetDatum(owner));
}

NewRow new_row(FunctionCallInfo call) {
  const TriggerData* data = trigger_data(call);
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) || !TRIGGER_FIRED_BEFORE(data->tg_event))
    refuse_trigger_call("the function is for BEFORE triggers of rows");
  // One transaction can insert many rows one by one. Plans that were made while the table was
  // nearly empty must not stay.
  pg::replan_if_grown(data->tg_relation);
  const bool update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
  return {update, update ? data->tg_trigtuple : nullptr,
          update ? data->tg_newtuple : data->tg_trigtuple, RelationGetDescr(data->tg_relation)};
}

}  // namespace metrics_refresh::api
