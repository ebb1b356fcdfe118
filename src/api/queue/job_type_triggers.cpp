// The triggers of the table job_type. Rows also come from pg_restore and from a superuser's own
// statements, so names are resolved here.
#include "api/new_row.hpp"
#include "extension/own_schema.hpp"
#include "pg/role.hpp"
#include "pg/table_growth.hpp"
#include "shmem/queue/place.hpp"
#include "store/job_changes.hpp"
#include "store/queue/handlers.hpp"
#include "store/queue/news.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::api {
namespace {

// Resolves the handler if it was named in this statement. In a restored database another role may
// have taken the name. Its function would run with the rights of the type's owner, so it is used
// only if it belongs to the owner of the handler in the dump, or to a role with these rights.
void bind_handler(NewRow& row) {
  if (!row.is_new("handler_schema") && !row.is_new("handler_name") && !row.is_new("passes_id") &&
      !row.is_new("handler_oid"))
    return;
  const std::string schema = row.text("handler_schema").value_or("");
  const std::string name = row.text("handler_name").value_or("");
  const Oid named_owner = pg::role_oid(row.text("handler_owner").value_or(""));
  const Oid owner = DatumGetObjectId(row.value("owner_oid").value_or(0));
  const store::queue::HandlerName handler = {schema.c_str(), name.c_str(), row.is_true("passes_id"),
                                             InvalidOid,     named_owner,  owner};
  const Oid function = pg::call([&handler] { return store::queue::find_handler(handler); });
  row.set("handler_oid", ObjectIdGetDatum(function));
  row.set("handler_owner_oid", ObjectIdGetDatum(OidIsValid(function) ? pg::call([function] {
            return store::queue::shape_of_handler(function).owner;
          })
                                                                     : InvalidOid));
}

Datum check_type(FunctionCallInfo call) {
  NewRow row = new_row(call);
  row.bind_owner();
  bind_handler(row);
  return PointerGetDatum(row.row);
}

int id_of(const TriggerData& data) {
  return DatumGetInt32(
      column_value(data.tg_trigtuple, RelationGetDescr(data.tg_relation), "id").value_or(0));
}

bool is_changed(const TriggerData& data) {
  if (!TRIGGER_FIRED_BY_UPDATE(data.tg_event)) return true;
  HeapTuple const old_row = data.tg_trigtuple;
  HeapTuple const new_row = data.tg_newtuple;
  constexpr std::size_t kHeader = SizeofHeapTupleHeader;
  return old_row->t_len != new_row->t_len ||
         memcmp(reinterpret_cast<const char*>(old_row->t_data) + kHeader,
                reinterpret_cast<const char*>(new_row->t_data) + kHeader,
                old_row->t_len - kHeader) != 0;
}

Datum note_type_change(FunctionCallInfo call) {
  const TriggerData* data = trigger_data(call);
  store::note_job_types();
  const bool has_queue = shmem::queue::find_queue();
  if (has_queue) store::queue::note_types();
  if (!TRIGGER_FIRED_FOR_ROW(data->tg_event)) return Datum{0};
  // A repeated register_job_type() does not hold up the type.
  if (has_queue && is_changed(*data)) store::queue::suspend_type(id_of(*data));
  pg::replan_if_grown(data->tg_relation);
  TupleDesc const description = RelationGetDescr(data->tg_relation);
  if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
    store::count_written_row(data->tg_trigtuple, description);
  if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
    store::count_written_row(data->tg_newtuple, description);
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_job_type_before_write, check_type);
MR_SQL_FUNCTION(mr_job_type_after_write, note_type_change);

}  // namespace metrics_refresh::api
