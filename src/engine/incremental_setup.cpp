#include "engine/incremental_setup.hpp"

#include "engine/definition.hpp"
#include "engine/delta.hpp"
#include "engine/incremental.hpp"
#include "engine/incremental_ties.hpp"
#include "pg/identity.hpp"
#include "pg/privilege.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::engine {
namespace {

constexpr char kExtension[] = "metrics_refresh";  // and its schema of functions

const char* qualified_table(Oid table) {
  return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                    get_rel_name(table));
}

void append_type(StringInfo sql, const Form_pg_attribute column) {
  appendStringInfoString(
      sql, format_type_extended(column->atttypid, column->atttypmod,
                                FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
  if (!OidIsValid(column->attcollation)) return;
  const HeapTuple tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(column->attcollation));
  if (!HeapTupleIsValid(tuple))
    elog(ERROR, "cache lookup failed for collation %u", column->attcollation);
  const auto* const collation = reinterpret_cast<Form_pg_collation>(GETSTRUCT(tuple));
  appendStringInfo(sql, " COLLATE %s",
                   quote_qualified_identifier(get_namespace_name(collation->collnamespace),
                                              NameStr(collation->collname)));
  ReleaseSysCache(tuple);
}

const char* owner_of_extension() {
  Oid owner = BOOTSTRAP_SUPERUSERID;
  Relation const extensions = table_open(ExtensionRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
              CStringGetDatum(kExtension));
  SysScanDesc const scan =
      systable_beginscan(extensions, ExtensionNameIndexId, true, nullptr, 1, &key);
  const HeapTuple tuple = systable_getnext(scan);
  if (HeapTupleIsValid(tuple))
    owner = reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple))->extowner;
  systable_endscan(scan);
  table_close(extensions, AccessShareLock);
  return quote_identifier(GetUserNameFromId(owner, false));
}

// Unlogged: after a restart all rows are looked at in any case, writers write less, and no
// publication of all tables has it.
void append_delta_table(StringInfo sql, int64 id, int at, const KeyTable& table) {
  const char* name = psprintf("%s.%s", pg::kInternalSchema, delta_name(id, at));
  Relation const relation = table_open(table.oid, AccessShareLock);
  appendStringInfo(sql, "CREATE UNLOGGED TABLE %s (", name);
  int number = 0;
  for (int column = -1; (column = bms_next_member(table.columns, column)) >= 0;) {
    appendStringInfo(sql, "k%d ", ++number);
    append_type(sql, TupleDescAttr(RelationGetDescr(relation), column - 1));
    appendStringInfoString(sql, ", ");
  }
  appendStringInfoString(sql, "whole boolean) USING heap;");
  table_close(relation, NoLock);
  appendStringInfo(sql, "REVOKE ALL ON %s FROM PUBLIC; ALTER TABLE %s OWNER TO %s;", name, name,
                   owner_of_extension());
  appendStringInfo(sql, "COMMENT ON TABLE %s IS %s;", name,
                   quote_literal_cstr(
                       psprintf("keys of rows of %s that changed since the last refresh of a view",
                                qualified_table(table.oid))));
}

void append_triggers(StringInfo sql, int64 id, int at, const KeyTable& table) {
  const char* name = qualified_table(table.oid);
  StringInfoData arguments;
  initStringInfo(&arguments);
  appendStringInfoString(&arguments, quote_literal_cstr(delta_name(id, at)));
  ListCell* cell;
  foreach (cell, captured_names(table))
    appendStringInfo(&arguments, ", %s",
                     quote_literal_cstr(static_cast<const char*>(lfirst(cell))));
  const char* const events[][2] = {
      {"insert", "REFERENCING NEW TABLE AS new_rows"},
      {"update", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"},
      {"delete", "REFERENCING OLD TABLE AS old_rows"},
      {"truncate", ""}};
  for (const auto& [event, transition] : events) {
    const char* trigger = trigger_name(id, event);
    appendStringInfo(sql,
                     "CREATE TRIGGER %s AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION "
                     "%s.capture_keys(%s);"
                     "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s;",
                     trigger, event, name, transition, kExtension, arguments.data, name, trigger);
  }
}

void append_parent(StringInfo sql, int64 id, int at, const KeyTable& table) {
  appendStringInfo(sql, "INSERT INTO %s.incremental_parent VALUES (%s, ARRAY[]::text[]",
                   pg::kInternalSchema, quote_literal_cstr(delta_name(id, at)));
  ListCell* cell;
  foreach (cell, captured_names(table))
    appendStringInfo(sql, " || %s::text",
                     quote_literal_cstr(static_cast<const char*>(lfirst(cell))));
  appendStringInfo(sql, ", %s, %s, 0, " INT64_FORMAT ");",
                   quote_literal_cstr(get_namespace_name(get_rel_namespace(table.oid))),
                   quote_literal_cstr(get_rel_name(table.oid)), id);
}

const char* setup_sql(int64 id, const Derivation& derivation) {
  StringInfoData sql;
  initStringInfo(&sql);
  for (int at = 0; at < derivation.table_count; ++at) {
    append_delta_table(&sql, id, at, derivation.tables[at]);
    if (is_view(derivation.tables[at]))
      append_parent(&sql, id, at, derivation.tables[at]);
    else
      append_triggers(&sql, id, at, derivation.tables[at]);
  }
  return sql.data;
}

const char* removal_sql(int64 id) {
  StringInfoData sql;
  initStringInfo(&sql);
  ListCell* cell;
  foreach (cell, triggers_of(id)) {
    const auto* const trigger = static_cast<FoundTrigger*>(lfirst(cell));
    appendStringInfo(&sql, "DROP TRIGGER %s ON %s;", trigger->name,
                     qualified_table(trigger->table));
  }
  for (int at = 0; OidIsValid(delta_oid(id, at)); ++at)
    appendStringInfo(&sql, "DROP TABLE %s.%s;", pg::kInternalSchema, delta_name(id, at));
  appendStringInfo(&sql, "DELETE FROM %s.incremental_parent WHERE id = " INT64_FORMAT ";",
                   pg::kInternalSchema, id);
  return sql.data;
}

void run(pg::Spi& spi, const char* sql) {
  if (*sql != '\0') spi.run_discarding(sql);
}

// What is needed of a derivation, in the current memory context.
Derivation derive(Oid view) {
  Relation const relation = try_table_open(view, AccessShareLock);
  if (relation == nullptr)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("the materialized view with OID %u does not exist any more", view)));
  const Derivation derivation =
      derive_keys(static_cast<Query*>(copyObjectImpl(definition_of(relation))));
  table_close(relation, NoLock);
  return derivation;
}

// Nothing of the owner's is run for it; if it were, it would be as him.
Derivation derive_as_owner(const View& view) {
  const Oid oid = view.oid;
  pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
  return pg::call([oid] { return derive(oid); });
}

void require_trigger_privilege(const Derivation& derivation, Oid role) {
  for (int at = 0; at < derivation.table_count; ++at) {
    const Oid table = derivation.tables[at].oid;
    if (pg::call([=] { return pg_class_aclcheck(table, role, ACL_TRIGGER) == ACLCHECK_OK; }))
      continue;
    const std::string name = pg::call([=] { return qualified_table(table); });
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for table " + name,
                       "GRANT TRIGGER ON " + name + " TO the role, or use strategy diff.",
                       "Strategy incremental makes triggers on it, for which the role " +
                           pg::role_name(role) + " lacks the privilege TRIGGER.");
  }
}

bool has_all(int64 id, const Derivation& derivation) {
  return pg::call([&derivation, id] { return read_capture(id, derivation).fault == nullptr; });
}

// A refresh locks the view before anything else, as this does: so that neither waits for the other
// half-way.
void lock_out_refresh(Oid view) {
  pg::call([view] { LockRelationOid(view, ShareUpdateExclusiveLock); });
}

}  // namespace

std::string why_not_incremental(const View& view) {
  const char* reason = derive_as_owner(view).refusal;
  return reason != nullptr ? reason : "";
}

void set_up_incremental(const View& view, Oid role, bool restore) {
  const Oid oid = view.oid;
  const Derivation derivation = derive_as_owner(view);
  if (derivation.refusal != nullptr)
    throw pg::SqlError(
        ERRCODE_FEATURE_NOT_SUPPORTED,
        "materialized view \"" + view.name + "\" cannot be refreshed incrementally",
        "Strategies auto and diff refresh any definition.",
        "Its definition cannot be kept by keys: " + std::string(derivation.refusal) + ".");
  pg::as_extension([&] {
    pg::Spi spi;
    std::optional<store::IncrementalView> record = store::find_incremental(spi, oid);
    if (record && record->demoted.empty() && has_all(record->id, derivation)) return;
    lock_out_refresh(oid);
    record = store::find_incremental(spi, oid);
    if (record) {
      const int64 id = record->id;
      const bool is_whole = has_all(id, derivation);
      if (is_whole && (record->demoted.empty() || !restore)) return;
      record->fingerprint.clear();
      if (restore) record->demoted.clear();
      store::update_incremental(spi, *record, view.schema, view.name);
      if (is_whole) return;
      require_trigger_privilege(derivation, role);
      run(spi, pg::call([id] { return removal_sql(id); }));
    } else {
      require_trigger_privilege(derivation, role);
      record = store::insert_incremental(spi, oid, view.schema, view.name);
    }
    const int64 id = record->id;
    // Their refreshes either have ended before this, or see it.
    for (int at = 0; at < derivation.table_count; ++at) {
      const KeyTable table = derivation.tables[at];
      if (pg::call([table] { return is_view(table); })) lock_out_refresh(table.oid);
    }
    run(spi, pg::call([&, id] { return setup_sql(id, derivation); }));
    pg::call([=] { tie_down(oid, id); });
  });
}

void take_down_incremental(Oid view) {
  lock_out_refresh(view);
  pg::as_extension([view] {
    pg::Spi spi;
    const std::optional<store::IncrementalView> record = store::find_incremental(spi, view);
    if (!record) return;
    const int64 id = record->id;
    run(spi, pg::call([id] { return removal_sql(id); }));
    store::delete_incremental(spi, id);
  });
}

}  // namespace metrics_refresh::engine
