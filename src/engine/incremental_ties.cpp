#include "engine/incremental_ties.hpp"

#include "pg/identity.hpp"

#include "engine/delta.hpp"

namespace metrics_refresh::engine {
namespace {

constexpr char kExtension[] = "metrics_refresh";  // and its schema of functions

void tie(const ObjectAddress& what, const ObjectAddress& to, DependencyType how) {
  deleteDependencyRecordsForSpecific(what.classId, what.objectId, static_cast<char>(how),
                                     to.classId, to.objectId);
  recordDependencyOn(&what, &to, how);
}

}  // namespace

List* triggers_of(int64 id) {
  const Oid schema = get_namespace_oid(kExtension, false);
  List* found = NIL;
  Relation const triggers = table_open(TriggerRelationId, AccessShareLock);
  SysScanDesc const scan = systable_beginscan(triggers, InvalidOid, false, nullptr, 0, nullptr);
  const char* prefix = trigger_name(id, "");
  for (HeapTuple tuple; HeapTupleIsValid(tuple = systable_getnext(scan));) {
    const auto* const form = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
    if (form->tgisinternal || strncmp(NameStr(form->tgname), prefix, strlen(prefix)) != 0) continue;
    if (get_func_namespace(form->tgfoid) != schema) continue;
    auto* const trigger = static_cast<FoundTrigger*>(palloc(sizeof(FoundTrigger)));
    *trigger = {form->oid, form->tgrelid, pstrdup(NameStr(form->tgname))};
    found = lappend(found, trigger);
  }
  systable_endscan(scan);
  table_close(triggers, AccessShareLock);
  return found;
}

void tie_down(Oid view, int64 id) {
  ObjectAddress to_view;
  ObjectAddressSet(to_view, RelationRelationId, view);
  ObjectAddress to_extension;
  ObjectAddressSet(to_extension, ExtensionRelationId, get_extension_oid(kExtension, false));
  ObjectAddress what;
  for (int at = 0; OidIsValid(delta_oid(id, at)); ++at) {
    ObjectAddressSet(what, RelationRelationId, delta_oid(id, at));
    tie(what, to_extension, DEPENDENCY_AUTO_EXTENSION);
  }
  ListCell* cell;
  foreach (cell, triggers_of(id)) {
    ObjectAddressSet(what, TriggerRelationId, static_cast<FoundTrigger*>(lfirst(cell))->oid);
    tie(what, to_view, DEPENDENCY_AUTO);
    tie(what, to_extension, DEPENDENCY_AUTO_EXTENSION);
  }
}

void drop_orphaned_deltas() {
  // As the table's definition has them.
  constexpr AttrNumber kId = 1;
  constexpr AttrNumber kViewOid = 4;
  const Oid schema = get_namespace_oid(pg::kInternalSchema, true);
  const Oid oid = OidIsValid(schema) ? get_relname_relid("incremental_view", schema) : InvalidOid;
  Relation const table = OidIsValid(oid) ? try_table_open(oid, AccessShareLock) : nullptr;
  if (table == nullptr) return;
  CommandCounterIncrement();
  ObjectAddresses* const orphans = new_object_addresses();
  bool any = false;
  Snapshot const latest = RegisterSnapshot(GetLatestSnapshot());
  TupleTableSlot* const slot = table_slot_create(table, nullptr);
  TableScanDesc const scan = table_beginscan(table, latest, 0, nullptr);
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    bool is_null;
    const Oid view = DatumGetObjectId(slot_getattr(slot, kViewOid, &is_null));
    // Of a dump, a view may not have been found yet.
    if (!OidIsValid(view) || get_rel_relkind(view) == RELKIND_MATVIEW) continue;
    const int64 id = DatumGetInt64(slot_getattr(slot, kId, &is_null));
    for (int at = 0; OidIsValid(delta_oid(id, at)); ++at) {
      ObjectAddress delta;
      ObjectAddressSet(delta, RelationRelationId, delta_oid(id, at));
      add_exact_object_address(&delta, orphans);
      any = true;
    }
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  UnregisterSnapshot(latest);
  table_close(table, AccessShareLock);
  if (any) performMultipleDeletions(orphans, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
  free_object_addresses(orphans);
}

}  // namespace metrics_refresh::engine
