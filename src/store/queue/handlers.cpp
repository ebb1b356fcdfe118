#include "store/queue/handlers.hpp"

namespace metrics_refresh::store::queue {
namespace {

Oid owner_of(Oid function) {
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  const Oid owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->proowner;
  ReleaseSysCache(tuple);
  return owner;
}

// The function of that name, or InvalidOid. Trust is the caller's matter.
Oid handler_named(const char* schema, const char* name, bool passes_id) {
  const Oid schema_oid = get_namespace_oid(schema, true);
  if (!OidIsValid(schema_oid)) return InvalidOid;
  const Oid types[] = {passes_id ? Oid{INT8OID} : Oid{JSONBOID}, JSONBOID};
  const oidvector* const arguments = buildoidvector(types, passes_id ? 2 : 1);
  const Oid function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
                                       PointerGetDatum(arguments), ObjectIdGetDatum(schema_oid));
  if (!OidIsValid(function) || shape_of_handler(function).reason != NoHandler::kNone)
    return InvalidOid;
  return function;
}

}  // namespace

Oid find_handler(const HandlerName& handler) {
  if (handler.schema[0] == '\0') return InvalidOid;
  if (OidIsValid(handler.oid)) {
    const HandlerShape shape = shape_of_handler(handler.oid);
    if (shape.reason == NoHandler::kNone && shape.passes_id == handler.passes_id)
      return handler.oid;
  }
  const Oid named = handler_named(handler.schema, handler.name, handler.passes_id);
  if (!OidIsValid(named)) return InvalidOid;
  const Oid owner = owner_of(named);
  const bool is_trusted = owner == handler.function_owner ||
                          (OidIsValid(owner) && has_privs_of_role(owner, handler.type_owner));
  return is_trusted ? named : InvalidOid;
}

HandlerShape shape_of_handler(Oid function) {
  HandlerShape shape = {};
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) {
    shape.reason = NoHandler::kMissing;
    return shape;
  }
  const auto* const row = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
  const Oid* const types = row->proargtypes.values;
  shape.passes_id = row->pronargs == 2;
  shape.owner = row->proowner;
  shape.schema = get_namespace_name(row->pronamespace);
  shape.name = pstrdup(NameStr(row->proname));
  if (row->prokind != PROKIND_FUNCTION)
    shape.reason = NoHandler::kNoFunction;
  else if (row->proretset)
    shape.reason = NoHandler::kReturnsSet;
  else if (!(row->pronargs == 1 && types[0] == JSONBOID) &&
           !(row->pronargs == 2 && types[0] == INT8OID && types[1] == JSONBOID))
    shape.reason = NoHandler::kArguments;
  else if (isAnyTempNamespace(row->pronamespace))
    shape.reason = NoHandler::kTemporary;
  ReleaseSysCache(tuple);
  return shape;
}

}  // namespace metrics_refresh::store::queue
