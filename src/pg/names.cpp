#include "pg/names.hpp"

#include "pg/compat.hpp"

namespace metrics_refresh::pg {
namespace {

Oid schema_of_type(Oid type) {
  const HeapTuple row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(row)) return InvalidOid;
  const Oid schema = reinterpret_cast<Form_pg_type>(GETSTRUCT(row))->typnamespace;
  ReleaseSysCache(row);
  return schema;
}

Oid schema_of_operator(Oid oid) {
  const HeapTuple row = SearchSysCache1(OPEROID, ObjectIdGetDatum(oid));
  if (!HeapTupleIsValid(row)) return InvalidOid;
  const Oid schema = reinterpret_cast<Form_pg_operator>(GETSTRUCT(row))->oprnamespace;
  ReleaseSysCache(row);
  return schema;
}

bool is_outside_pg_catalog(Oid schema) {
  return OidIsValid(schema) && schema != PG_CATALOG_NAMESPACE;
}

// Objects with one name may exist in several schemas.
template <typename SchemaOf>
Oid first_outside_pg_catalog(FuncCandidateList candidate, SchemaOf schema_of) {
  for (; candidate != nullptr; candidate = candidate->next)
    if (is_outside_pg_catalog(schema_of(candidate->oid))) return schema_of(candidate->oid);
  return InvalidOid;
}

// The same lookup functions as in the parser, so that the answer is that of a query.
Oid schema_of(NameKind kind, const char* name) {
  List* const names = list_make1(makeString(pstrdup(name)));
  switch (kind) {
    case NameKind::kRelation:
      return get_rel_namespace(RelnameGetRelid(name));
    case NameKind::kFunction:
      return first_outside_pg_catalog(functions_named(names, -1, false), get_func_namespace);
    case NameKind::kOperator:
      return first_outside_pg_catalog(operators_named(names), schema_of_operator);
    case NameKind::kType:
      break;
  }
  return schema_of_type(TypenameGetTypid(name));
}

}  // namespace

const char* schema_by_path(NameKind kind, const char* name) {
  const Oid schema = schema_of(kind, name);
  return is_outside_pg_catalog(schema) ? get_namespace_name(schema) : nullptr;
}

}  // namespace metrics_refresh::pg
