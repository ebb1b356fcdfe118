#include "engine/view/keyed_view.hpp"

#include "extension/own_schema.hpp"

namespace metrics_refresh::engine {
namespace {

// As the table's definition has them.
constexpr AttrNumber kSchema = 2;
constexpr AttrNumber kName = 3;
constexpr AttrNumber kViewOid = 4;
constexpr AttrNumber kDemoted = 9;

// A row that came with a dump before its view is known by the name.
bool is_of(HeapTuple row, TupleDesc description, Oid view) {
  bool is_null;
  const Oid bound = DatumGetObjectId(heap_getattr(row, kViewOid, description, &is_null));
  if (OidIsValid(bound)) return bound == view;
  const char* schema = NameStr(*DatumGetName(heap_getattr(row, kSchema, description, &is_null)));
  const char* name = NameStr(*DatumGetName(heap_getattr(row, kName, description, &is_null)));
  return strcmp(name, get_rel_name(view)) == 0 &&
         strcmp(schema, get_namespace_name(get_rel_namespace(view))) == 0;
}

}  // namespace

KeyedView find_keyed_view(Oid view) {
  KeyedView found = {};
  Relation const table = extension::open_own_table("incremental_view", AccessShareLock);
  if (table == nullptr) return found;
  TupleDesc const description = RelationGetDescr(table);
  // The catalogs' own snapshot, which is of now.
  SysScanDesc const scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  for (HeapTuple row; HeapTupleIsValid(row = systable_getnext(scan));) {
    if (!is_of(row, description, view)) continue;
    bool is_null;
    const Datum demoted = heap_getattr(row, kDemoted, description, &is_null);
    found = {true, is_null ? nullptr : TextDatumGetCString(demoted)};
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return found;
}

}  // namespace metrics_refresh::engine
