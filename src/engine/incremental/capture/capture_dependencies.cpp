#include "engine/incremental/capture/capture_dependencies.hpp"

#include "engine/incremental/capture/delta.hpp"
#include "extension/own_schema.hpp"

// The name of a delta table contains the view's number, and each trigger has that name as its first
// argument. So the number of a trigger is read from pg_trigger, and no table of ours has to list
// the triggers. Such a list would be wrong after a restored dump, or after a user has dropped a
// trigger.

namespace metrics_refresh::engine {

namespace {

constexpr char kExtension[] = "metrics_refresh";
constexpr char kFunction[] = "capture_keys";

// Makes the object depend on the extension in the way of ALTER ... DEPENDS ON EXTENSION. An older
// record is removed first, because a second one would be a duplicate.
void add_extension_dependency(Oid class_id, Oid object) {
  ObjectAddress extension;
  ObjectAddressSet(extension, ExtensionRelationId, get_extension_oid(kExtension, false));
  ObjectAddress what;
  ObjectAddressSet(what, class_id, object);
  deleteDependencyRecordsForSpecific(class_id, object, DEPENDENCY_AUTO_EXTENSION,
                                     ExtensionRelationId, extension.objectId);
  recordDependencyOn(&what, &extension, DEPENDENCY_AUTO_EXTENSION);
}

// Reads the view's number from the first argument, the name of the delta table. Returns 0 if it is
// not one.
int64 number_of(HeapTuple trigger, TupleDesc row) {
  bool is_null;
  const Datum value = heap_getattr(trigger, Anum_pg_trigger_tgargs, row, &is_null);
  if (is_null) return 0;
  const bytea* const arguments = DatumGetByteaPP(value);
  const char* const first = pnstrdup(VARDATA_ANY(arguments), VARSIZE_ANY_EXHDR(arguments));
  long long id = 0;
  return sscanf(first, "delta_%18lld_", &id) == 1 ? id : 0;
}

// Returns the trigger with the view's number, which is 0 if the trigger is gone or not one of ours.
FoundTrigger read_trigger(Relation triggers, Oid oid) {
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
  SysScanDesc const scan = systable_beginscan(triggers, TriggerOidIndexId, true, nullptr, 1, &key);
  const HeapTuple tuple = systable_getnext(scan);
  FoundTrigger found = {};
  if (HeapTupleIsValid(tuple))
    found = {number_of(tuple, RelationGetDescr(triggers)), oid,
             reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple))->tgrelid};
  systable_endscan(scan);
  return found;
}

}  // namespace

Oid capture_function() {
  const Oid schema = get_namespace_oid(extension::kInternalSchema, false);
  const Oid function =
      GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(kFunction),
                      PointerGetDatum(buildoidvector(nullptr, 0)), ObjectIdGetDatum(schema));
  if (!OidIsValid(function))
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
            errmsg("function %s.%s() does not exist", extension::kInternalSchema, kFunction));
  return function;
}

// Every trigger depends on the function that it calls, so pg_depend lists them without a scan of
// pg_trigger.
List* capturing_triggers() {
  List* found = NIL;
  Relation const dependencies = table_open(DependRelationId, AccessShareLock);
  Relation const triggers = table_open(TriggerRelationId, AccessShareLock);
  ScanKeyData keys[2];
  ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(ProcedureRelationId));
  ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(capture_function()));
  SysScanDesc const scan =
      systable_beginscan(dependencies, DependReferenceIndexId, true, nullptr, 2, keys);
  for (HeapTuple tuple; HeapTupleIsValid(tuple = systable_getnext(scan));) {
    CHECK_FOR_INTERRUPTS();
    const auto* const dependency = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple));
    if (dependency->classid != TriggerRelationId) continue;
    const FoundTrigger trigger = read_trigger(triggers, dependency->objid);
    if (trigger.id == 0) continue;
    auto* const copy = static_cast<FoundTrigger*>(palloc(sizeof(FoundTrigger)));
    *copy = trigger;
    found = lappend(found, copy);
  }
  systable_endscan(scan);
  table_close(triggers, AccessShareLock);
  table_close(dependencies, AccessShareLock);
  return found;
}

// An OID can be used again for another trigger, so the number and the table are compared, too.
bool still_exists(const FoundTrigger& trigger) {
  Relation const triggers = table_open(TriggerRelationId, AccessShareLock);
  const FoundTrigger now = read_trigger(triggers, trigger.oid);
  table_close(triggers, AccessShareLock);
  return now.id == trigger.id && now.table == trigger.table;
}

void add_extension_dependencies(int64 id) {
  for (int at = 0; OidIsValid(delta_oid(id, at)); ++at)
    add_extension_dependency(RelationRelationId, delta_oid(id, at));
  ListCell* cell;
  foreach (cell, capturing_triggers()) {
    const auto* const trigger = static_cast<FoundTrigger*>(lfirst(cell));
    if (trigger->id == id) add_extension_dependency(TriggerRelationId, trigger->oid);
  }
}

}  // namespace metrics_refresh::engine
