// Appends versions of types and collations to the text that is fingerprinted.
//
// A version is the identity of a row in a catalog (append_version()). A type is described by its
// own row and by the rows of its parts, recursively. For a domain these are the constraints and the
// base type, for an enum the labels, for a composite type the columns. Example for a domain d over
// an enum e:
//   type 16400:<row of d> <rows of its checks> type 16390:<row of e> <rows of its labels>
#include "engine/definition/type_versions.hpp"

#include "engine/definition/functions.hpp"

namespace metrics_refresh::engine {
namespace {

// Visits the rows of a catalog whose first column of the index has the value `owner`.
template <typename Visit>
void for_each_row_of(Oid catalog, Oid index, AttrNumber column, Oid owner, Visit visit) {
  Relation const table = table_open(catalog, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(owner));
  SysScanDesc const scan = systable_beginscan(table, index, true, nullptr, 1, &key);
  HeapTuple row;
  while (HeapTupleIsValid(row = systable_getnext(scan))) visit(row, RelationGetDescr(table));
  systable_endscan(scan);
  table_close(table, AccessShareLock);
}

template <typename Visit>
void for_each_row(Oid catalog, Visit visit) {
  Relation const table = table_open(catalog, AccessShareLock);
  SysScanDesc const scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  HeapTuple row;
  while (HeapTupleIsValid(row = systable_getnext(scan))) visit(row);
  systable_endscan(scan);
  table_close(table, AccessShareLock);
}

void append_columns(StringInfo text, Oid type, List** seen) {
  TupleDesc const columns = lookup_rowtype_tupdesc_noerror(type, -1, true);
  if (columns == nullptr) return;
  for (int i = 0; i < columns->natts; ++i) {
    const Form_pg_attribute column = TupleDescAttr(columns, i);
    appendStringInfo(text, "%s %u.%d ", NameStr(column->attname), column->atttypid,
                     column->atttypmod);
    append_type(text, column->atttypid, seen);
  }
  ReleaseTupleDesc(columns);
}

// Appends the functions that group and sort values of the type.
void append_comparison(StringInfo text, Oid type) {
  const TypeCacheEntry* const entry =
      lookup_type_cache(type, TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
  for (const Oid function : {get_opcode(entry->eq_opr), entry->cmp_proc, entry->hash_proc})
    append_function(text, function);
}

void append_collation(StringInfo text, Oid collation) {
  // The rows of the default collations do not change.
  if (!OidIsValid(collation) || collation == DEFAULT_COLLATION_OID || collation == C_COLLATION_OID)
    return;
  const HeapTuple row = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
  if (!HeapTupleIsValid(row)) return;
  appendStringInfo(text, "collation %u:", collation);
  append_version(text, row);
  ReleaseSysCache(row);
}

}  // namespace

List* types_of(Node* node) {
  switch (nodeTag(node)) {
    case T_Var:
    case T_Const:
    case T_FuncExpr:
    case T_OpExpr:
    case T_Aggref:
    case T_WindowFunc:
    case T_RelabelType:
    case T_CoerceToDomain:
    case T_CoerceViaIO:
    case T_ArrayCoerceExpr:
    case T_ConvertRowtypeExpr:
    case T_RowExpr:
    case T_FieldSelect:
      break;
    default:
      return NIL;
  }
  const Oid type = exprType(node);
  return type >= FirstNormalObjectId ? list_make1_oid(type) : NIL;
}

void append_type(StringInfo text, Oid type, List** seen) {
  // Types may refer to each other in a circle, for example by arrays of composite types.
  if (type < FirstNormalObjectId || list_member_oid(*seen, type)) return;
  check_stack_depth();
  CHECK_FOR_INTERRUPTS();
  *seen = lappend_oid(*seen, type);
  const HeapTuple row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(row)) return;
  const auto form = *reinterpret_cast<Form_pg_type>(GETSTRUCT(row));
  appendStringInfo(text, "type %u:", type);
  append_version(text, row);
  ReleaseSysCache(row);
  // A shell type has no parts yet.
  if (!form.typisdefined) return;
  append_comparison(text, type);
  const auto append = [text](HeapTuple part, TupleDesc) { append_version(text, part); };
  switch (form.typtype) {
    case TYPTYPE_DOMAIN:
      for_each_row_of(ConstraintRelationId, ConstraintTypidIndexId, Anum_pg_constraint_contypid,
                      type, append);
      return append_type(text, form.typbasetype, seen);
    case TYPTYPE_ENUM:
      return for_each_row_of(EnumRelationId, EnumTypIdLabelIndexId, Anum_pg_enum_enumtypid, type,
                             append);
    case TYPTYPE_COMPOSITE:
      return append_columns(text, type, seen);
    case TYPTYPE_RANGE:
      return append_type(text, get_range_subtype(type), seen);
    case TYPTYPE_MULTIRANGE:
      return append_type(text, get_multirange_range(type), seen);
    default:
      return append_type(text, form.typelem, seen);
  }
}

void append_collations(StringInfo text, Node* node) {
  append_collation(text, exprInputCollation(node));
  if (IsA(node, Var)) append_collation(text, castNode(Var, node)->varcollid);
  if (IsA(node, CollateExpr)) append_collation(text, castNode(CollateExpr, node)->collOid);
}

List* domain_checks(Oid domain) {
  List* checks = NIL;
  // The checks of the base domains apply as well.
  while (get_typtype(domain) == TYPTYPE_DOMAIN) {
    for_each_row_of(ConstraintRelationId, ConstraintTypidIndexId, Anum_pg_constraint_contypid,
                    domain, [&checks](HeapTuple row, TupleDesc columns) {
                      bool is_null;
                      const Datum check =
                          heap_getattr(row, Anum_pg_constraint_conbin, columns, &is_null);
                      if (!is_null)
                        checks = lappend(checks, stringToNode(TextDatumGetCString(check)));
                    });
    const HeapTuple row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
    if (!HeapTupleIsValid(row)) break;
    domain = reinterpret_cast<Form_pg_type>(GETSTRUCT(row))->typbasetype;
    ReleaseSysCache(row);
  }
  return checks;
}

List* cast_functions(Oid type) {
  List* functions = NIL;
  // pg_cast has no index by target type, so it is read as a whole.
  for_each_row(CastRelationId, [&functions, type](HeapTuple row) {
    const auto* const cast = reinterpret_cast<Form_pg_cast>(GETSTRUCT(row));
    if ((cast->castsource == type || cast->casttarget == type) &&
        cast->castfunc >= FirstNormalObjectId)
      functions = list_append_unique_oid(functions, cast->castfunc);
  });
  return functions;
}

void append_text_search(StringInfo text) {
  appendStringInfo(text, "text search %s ",
                   GetConfigOption("default_text_search_config", true, false));
  // The functions find configurations by name at run time. So every change of any configuration or
  // dictionary counts.
  for (const Oid catalog :
       {TSConfigRelationId, TSConfigMapRelationId, TSDictionaryRelationId, TSTemplateRelationId})
    for_each_row(catalog, [text](HeapTuple row) { append_version(text, row); });
}

}  // namespace metrics_refresh::engine
