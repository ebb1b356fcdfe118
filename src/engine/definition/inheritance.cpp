#include "engine/definition/inheritance.hpp"

namespace metrics_refresh::engine {
namespace {

bool has_entry(AttrNumber column, Oid index, Oid table) {
  Relation const inherits = table_open(InheritsRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
  SysScanDesc const scan = systable_beginscan(inherits, index, true, nullptr, 1, &key);
  const bool found = HeapTupleIsValid(systable_getnext(scan));
  systable_endscan(scan);
  table_close(inherits, AccessShareLock);
  return found;
}

}  // namespace

bool has_children(Oid table) {
  // The flag in pg_class is cheap to read and is never false if there are children.
  return has_subclass(table) && has_entry(Anum_pg_inherits_inhparent, InheritsParentIndexId, table);
}

bool has_parents(Oid table) {
  return has_entry(Anum_pg_inherits_inhrelid, InheritsRelidSeqnoIndexId, table);
}

}  // namespace metrics_refresh::engine
