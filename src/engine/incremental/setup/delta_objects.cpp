#include "engine/incremental/setup/delta_objects.hpp"

#include "engine/definition/definition_size.hpp"
#include "engine/incremental/capture/capture_dependencies.hpp"
#include "engine/incremental/capture/delta.hpp"
#include "extension/own_schema.hpp"

// The objects are created as their SQL statements would create them, but by the C functions below
// the statement level. A delta table has no index: it is only appended to and read as a whole. Its
// owner is the owner of the extension, so that no user can read or change it.
//
// Dropping is more careful than creating. A delta table may have dependents, which belong to other
// roles, and locks may be held by others. The caller is the scheduler, which must not wait.

namespace metrics_refresh::engine {
namespace {

Oid owner_of_extension() {
  Oid owner = BOOTSTRAP_SUPERUSERID;
  Relation const extensions = table_open(ExtensionRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
              CStringGetDatum("metrics_refresh"));
  SysScanDesc const scan =
      systable_beginscan(extensions, ExtensionNameIndexId, true, nullptr, 1, &key);
  const HeapTuple tuple = systable_getnext(scan);
  if (HeapTupleIsValid(tuple))
    owner = reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple))->extowner;
  systable_endscan(scan);
  table_close(extensions, AccessShareLock);
  return owner;
}

// The columns k1, k2, ... have the types of the captured columns; `whole` is the last one. A column
// of a domain type gets the base type. Otherwise ALTER DOMAIN would run a new check of the domain's
// owner over the delta table, and COPY in a restore would run all checks.
TupleDesc columns_of(const KeyTable& table) {
  Relation const relation = table_open(table.oid, AccessShareLock);
  TupleDesc const row = CreateTemplateTupleDesc(bms_num_members(table.columns) + 1);
  AttrNumber number = 0;
  for (int column = -1; (column = bms_next_member(table.columns, column)) >= 0;) {
    const Form_pg_attribute captured = TupleDescAttr(RelationGetDescr(relation), column - 1);
    ++number;
    int32 modifier = captured->atttypmod;
    const Oid type = getBaseTypeAndTypmod(captured->atttypid, &modifier);
    TupleDescInitEntry(row, number, psprintf("k%d", number), type, modifier, 0);
    TupleDescInitEntryCollation(row, number, captured->attcollation);
  }
  TupleDescInitEntry(row, static_cast<AttrNumber>(number + 1), "whole", BOOLOID, -1, 0);
  table_close(relation, NoLock);
  return row;
}

// ANALYZE computes statistics with the rights of the table's owner, which is the extension's owner.
// For some types it calls functions of the type's owner, such as the subtype_diff of a range type.
// Those must not run with these rights, so the columns have no statistics target.
void disable_statistics(Oid table, int columns) {
  Relation const attributes = table_open(AttributeRelationId, RowExclusiveLock);
  Datum values[Natts_pg_attribute] = {};
  bool nulls[Natts_pg_attribute] = {};
  bool replaces[Natts_pg_attribute] = {};
  replaces[Anum_pg_attribute_attstattarget - 1] = true;
  for (int number = 1; number <= columns; ++number) {
    const HeapTuple tuple = SearchSysCacheCopyAttNum(table, static_cast<int16>(number));
    if (!HeapTupleIsValid(tuple))
      elog(ERROR, "cache lookup failed for attribute %d of relation %u", number, table);
    const HeapTuple changed =
        heap_modify_tuple(tuple, RelationGetDescr(attributes), values, nulls, replaces);
    CatalogTupleUpdate(attributes, &changed->t_self, changed);
  }
  table_close(attributes, RowExclusiveLock);
}

struct Event {
  const char* name;
  int16 type;
  bool has_old;
  bool has_new;
};
constexpr Event kEvents[] = {{"insert", TRIGGER_TYPE_INSERT, false, true},
                             {"update", TRIGGER_TYPE_UPDATE, true, true},
                             {"delete", TRIGGER_TYPE_DELETE, true, false},
                             {"truncate", TRIGGER_TYPE_TRUNCATE, false, false}};

// A transition table makes the rows of a statement visible to the trigger.
List* add_transition(List* transitions, const char* name, bool is_new) {
  auto* const transition = makeNode(TriggerTransition);
  transition->name = pstrdup(name);
  transition->isNew = is_new;
  transition->isTable = true;
  return lappend(transitions, transition);
}

void make_trigger(int64 id, Oid table, const Event& event, List* arguments) {
  auto* const statement = makeNode(CreateTrigStmt);
  statement->trigname = pstrdup(trigger_name(id, event.name));
  statement->args = arguments;
  statement->timing = TRIGGER_TYPE_AFTER;
  statement->events = event.type;
  if (event.has_old)
    statement->transitionRels = add_transition(statement->transitionRels, "old_rows", false);
  if (event.has_new)
    statement->transitionRels = add_transition(statement->transitionRels, "new_rows", true);
  // This runs with superuser rights, so the server's own checks pass. setup.cpp has checked the
  // privilege TRIGGER of the roles.
  (void)CreateTriggerFiringOn(statement, nullptr, table, InvalidOid, InvalidOid, InvalidOid,
                              capture_function(), InvalidOid, nullptr, false, false,
                              TRIGGER_FIRES_ALWAYS);
}

Oid toast_of(Oid table) {
  Relation const relation = table_open(table, NoLock);
  const Oid toast = relation->rd_rel->reltoastrelid;
  table_close(relation, NoLock);
  return toast;
}

// The TOAST table is locked as well: ALTER DOMAIN and DROP TYPE lock tables that have a column of
// the type, and dropping would wait for these locks.
bool lock_with_toast(Oid delta) {
  if (!ConditionalLockRelationOid(delta, AccessExclusiveLock)) return false;
  const Oid toast = toast_of(delta);
  return !OidIsValid(toast) || ConditionalLockRelationOid(toast, AccessExclusiveLock);
}

bool has_dependents(Oid class_id, Oid object) {
  ScanKeyData keys[2];
  ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(class_id));
  ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(object));
  Relation const dependencies = table_open(DependRelationId, AccessShareLock);
  SysScanDesc const scan =
      systable_beginscan(dependencies, DependReferenceIndexId, true, nullptr, 2, keys);
  bool found = false;
  for (HeapTuple tuple; !found && HeapTupleIsValid(tuple = systable_getnext(scan));)
    // An internal or automatic dependency is dropped together with the object and belongs to no
    // other role.
    found = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple))->deptype == DEPENDENCY_NORMAL;
  systable_endscan(scan);
  table_close(dependencies, AccessShareLock);
  return found;
}

// Any role can store the OID of a table or type as a constant of type regclass or regtype, for
// example in a default expression. The object that contains the constant then depends on the table.
bool is_depended_on(Oid delta) {
  const Oid type = get_rel_type_id(delta);
  if (has_dependents(RelationRelationId, delta) || has_dependents(TypeRelationId, type) ||
      has_dependents(TypeRelationId, get_array_type(type)))
    return true;
  const Oid toast = toast_of(delta);
  if (!OidIsValid(toast)) return false;
  if (has_dependents(RelationRelationId, toast)) return true;
  Relation const relation = table_open(toast, NoLock);
  bool found = false;
  ListCell* cell;
  foreach (cell, RelationGetIndexList(relation))
    found = found || has_dependents(RelationRelationId, lfirst_oid(cell));
  table_close(relation, NoLock);
  return found;
}

// Dropping the table would drop objects of other roles, or would fail for as long as those exist.
void truncate_and_report(Oid delta) {
  Relation const relation = table_open(delta, NoLock);
  heap_truncate_one_rel(relation);
  ereport(LOG,
          errmsg("metrics_refresh: the delta table %s is left over, empty, because other objects "
                 "depend on it",
                 RelationGetRelationName(relation)),
          errhint("DROP TABLE %s.%s CASCADE drops it with them.", extension::kInternalSchema,
                  RelationGetRelationName(relation)));
  table_close(relation, NoLock);
}

}  // namespace

void make_delta_table(int64 id, int at, const KeyTable& table) {
  // HEAP_TABLE_AM_OID is explicit, because default_table_access_method must have no effect.
  TupleDesc const row = columns_of(table);
  const Oid delta = heap_create_with_catalog(
      delta_name(id, at), get_namespace_oid(extension::kInternalSchema, false), InvalidOid,
      InvalidOid, InvalidOid, InvalidOid, owner_of_extension(), HEAP_TABLE_AM_OID, row, NIL,
      RELKIND_RELATION, RELPERSISTENCE_UNLOGGED, false, false, ONCOMMIT_NOOP, Datum(0), false,
      false, false, InvalidOid, nullptr);
  // Each step must see the catalog rows of the previous one.
  CommandCounterIncrement();
  NewRelationCreateToastTable(delta, Datum(0));
  disable_statistics(delta, row->natts);
  const char* const name = quote_qualified_identifier(
      get_namespace_name(get_rel_namespace(table.oid)), get_rel_name(table.oid));
  CreateComments(
      delta, RelationRelationId, 0,
      psprintf("keys of rows of %s that changed since the last refresh of a view", name));
  CommandCounterIncrement();
}

void make_triggers(int64 id, int at, const KeyTable& table) {
  List* arguments = list_make1(makeString(pstrdup(delta_name(id, at))));
  ListCell* cell;
  foreach (cell, captured_names(table))
    arguments = lappend(arguments, makeString(pstrdup(static_cast<const char*>(lfirst(cell)))));
  for (const Event& event : kEvents) {
    make_trigger(id, table.oid, event, arguments);
    CommandCounterIncrement();
  }
}

void drop_triggers(List* triggers) {
  ObjectAddresses* const objects = new_object_addresses();
  ListCell* cell;
  foreach (cell, triggers) {
    ObjectAddress object;
    ObjectAddressSet(object, TriggerRelationId, static_cast<FoundTrigger*>(lfirst(cell))->oid);
    add_exact_object_address(&object, objects);
  }
  // PERFORM_DELETION_INTERNAL suppresses event triggers, which would run code of other roles.
  performMultipleDeletions(objects, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
  free_object_addresses(objects);
}

bool drop_delta_tables(int64 id) {
  ObjectAddresses* const objects = new_object_addresses();
  // A gap in the numbers is possible: an administrator can drop a table that was left over.
  for (int at = 0; at < kMaxSources; ++at) {
    const Oid delta = delta_oid(id, at);
    if (!OidIsValid(delta)) continue;
    if (!lock_with_toast(delta)) return false;
    if (is_depended_on(delta)) {
      truncate_and_report(delta);
      continue;
    }
    ObjectAddress object;
    ObjectAddressSet(object, RelationRelationId, delta);
    add_exact_object_address(&object, objects);
  }
  performMultipleDeletions(objects, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
  free_object_addresses(objects);
  return true;
}

}  // namespace metrics_refresh::engine
