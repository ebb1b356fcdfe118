#include "engine/incremental/setup/setup.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/elsewhere.hpp"
#include "engine/incremental/capture/delta.hpp"
#include "engine/incremental/capture/ties.hpp"
#include "engine/incremental/setup/delta_objects.hpp"
#include "engine/refresh.hpp"
#include "extension/privilege.hpp"
#include "pg/access_method.hpp"
#include "pg/identity.hpp"
#include "pg/transaction.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::engine {
namespace {

// What is needed of a derivation, in the current memory context.
Derivation derive(Oid view) {
  Relation const relation = try_table_open(view, AccessShareLock);
  if (relation == nullptr)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("the materialized view with OID %u does not exist any more", view)));
  Derivation derivation =
      derive_keys(static_cast<Query*>(copyObjectImpl(definition_of(relation))), view);
  if (!pg::is_heap(relation->rd_rel->relam))
    derivation.refusal =
        psprintf("its access method %s is no heap", get_am_name(relation->rd_rel->relam));
  table_close(relation, NoLock);
  return derivation;
}

// Nothing of the owner's is run for a derivation; if it were, it would be as him. A plan of its
// tables may run something of theirs, so who may not run the owner's code makes none: a worker
// will.
Derivation derive_as_owner(const View& view) {
  const Oid oid = view.oid;
  const bool may_plan = are_scans_hooked() && may_plan_for(view.owner);
  pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
  Derivation derivation = pg::call([oid] { return derive(oid); });
  if (!may_plan || derivation.refusal != nullptr) return derivation;
  pg::with_fixed_search_path([&derivation] {
    pg::call([&derivation] {
      for (int at = 0; at < derivation.table_count && derivation.refusal == nullptr; ++at)
        derivation.refusal = why_scanned_elsewhere(derivation.tables[at].oid, false);
    });
  });
  return derivation;
}

// Keeps no lock: whether the roles may lock these tables is asked afterwards.
Derivation look_at_derivation(const View& view) {
  Derivation derivation = {};
  pg::look([&] { derivation = derive_as_owner(view); });
  return derivation;
}

std::string table_name(Oid table) {
  return pg::call([table]() -> const char* {
    const char* const name = get_rel_name(table);
    if (name == nullptr) return psprintf("with OID %u, which is gone,", table);
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), name);
  });
}

void require_trigger_privilege(const Derivation& derivation, Oid role) {
  for (int at = 0; at < derivation.table_count; ++at) {
    const Oid table = derivation.tables[at].oid;
    if (pg::call([=] { return pg_class_aclcheck(table, role, ACL_TRIGGER) == ACLCHECK_OK; }))
      continue;
    const std::string name = table_name(table);
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for table " + name,
                       "GRANT TRIGGER ON " + name + " TO the role, or use strategy diff.",
                       "Strategy incremental makes triggers on it, for which the role " +
                           pg::role_name(role) + " lacks the privilege TRIGGER.");
  }
}

void require_rights(const View& view, const Derivation& derivation, const std::vector<Oid>& roles) {
  for (const Oid role : roles) require_view_rights(role, view);
  require_trigger_privilege(derivation, view.owner);
  for (const Oid role : roles) require_trigger_privilege(derivation, role);
}

void require_possible(const View& view, const Derivation& derivation) {
  if (derivation.refusal == nullptr) return;
  throw pg::SqlError(
      ERRCODE_FEATURE_NOT_SUPPORTED,
      "materialized view \"" + view.name + "\" cannot be refreshed incrementally",
      "Strategies auto and diff refresh any definition.",
      "Its definition cannot be kept by keys: " + std::string(derivation.refusal) + ".");
}

bool has_all(int64 id, const Derivation& derivation) {
  return pg::call([&derivation, id] { return read_capture(id, derivation).fault == nullptr; });
}

// Writers wait, and so does who would alter a table. A refresh of a materialized view that this one
// reads either has ended before this, or sees it.
void lock_tables(const Derivation& derivation) {
  for (int at = 0; at < derivation.table_count; ++at) {
    const KeyTable table = derivation.tables[at];
    pg::call([table] {
      LockRelationOid(table.oid, is_view(table) ? ShareUpdateExclusiveLock : ShareRowExclusiveLock);
    });
  }
}

bool are_same(const Derivation& a, const Derivation& b) {
  if (a.refusal != nullptr || b.refusal != nullptr || a.table_count != b.table_count) return false;
  for (int at = 0; at < a.table_count; ++at)
    if (a.tables[at].oid != b.tables[at].oid ||
        !bms_equal(a.tables[at].columns, b.tables[at].columns))
      return false;
  return true;
}

void require_unchanged(const View& before, const Derivation& derivation) {
  const View now = read_view(before.oid);
  if (now.owner == before.owner && are_same(derivation, derive_as_owner(now))) return;
  throw pg::SqlError(ERRCODE_T_R_SERIALIZATION_FAILURE,
                     "materialized view \"" + now.name +
                         "\" or a table that it reads was altered "
                         "while it was set up for the strategy incremental",
                     "It can be tried again.");
}

void require_free_names(int64 id, const Derivation& derivation) {
  for (int at = 0; at < derivation.table_count; ++at)
    for (const char* const event : {"insert", "update", "delete", "truncate"}) {
      const Oid table = derivation.tables[at].oid;
      const char* const name = pg::call([=] { return trigger_name(id, event); });
      if (!pg::call([=] { return OidIsValid(get_trigger_oid(table, name, true)); })) continue;
      throw pg::SqlError(ERRCODE_DUPLICATE_OBJECT,
                         "trigger \"" + std::string(name) + "\" for table " + table_name(table) +
                             " already exists",
                         "Strategy incremental needs the name: rename or drop that trigger.");
    }
}

Datum column_names(const KeyTable& table) {
  List* const names = captured_names(table);
  auto* const elements =
      static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(list_length(names) + 1)));
  int count = 0;
  ListCell* cell;
  foreach (cell, names) elements[count++] = CStringGetTextDatum(static_cast<char*>(lfirst(cell)));
  return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

void make_objects(pg::Spi& spi, int64 id, const Derivation& derivation) {
  require_free_names(id, derivation);
  for (int at = 0; at < derivation.table_count; ++at) {
    const KeyTable table = derivation.tables[at];
    pg::call([=] { make_delta_table(id, at, table); });
    if (!pg::call([table] { return is_view(table); })) {
      pg::call([=] { make_triggers(id, at, table); });
      continue;
    }
    const View parent = read_view(table.oid);
    store::insert_parent(spi, id, pg::call([=] { return delta_name(id, at); }),
                         pg::call([&table] { return column_names(table); }), parent.schema,
                         parent.name);
  }
  pg::call([id] { tie_down(id); });
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

void set_up_incremental(const View& view, const std::vector<Oid>& roles, bool restore) {
  const Oid oid = view.oid;
  for (const Oid role : roles) require_view_rights(role, view);
  const Derivation derivation = look_at_derivation(view);
  require_possible(view, derivation);
  pg::as_extension([&] {
    pg::Spi spi;
    std::optional<store::IncrementalView> record;
    bool is_whole = false;
    const auto is_done = [&] {
      record = store::find_incremental(spi, oid);
      is_whole = record && has_all(record->id, derivation);
      return is_whole && (record->demoted.empty() || !restore);
    };
    if (is_done()) return;
    require_rights(view, derivation, roles);
    lock_out_refresh(oid);
    if (is_done()) return;
    if (is_whole) {
      record->fingerprint.clear();
      record->demoted.clear();
      store::update_incremental(spi, *record, view.schema, view.name);
      return;
    }
    lock_tables(derivation);
    require_unchanged(view, derivation);
    // What there was is swept away later: to drop a trigger locks its table against readers too.
    const std::string demoted = record && !restore ? record->demoted : "";
    if (record) store::dismiss_incremental(spi, record->id);
    record = store::insert_incremental(spi, oid, view.schema, view.name);
    make_objects(spi, record->id, derivation);
    if (demoted.empty()) return;
    record->demoted = demoted;
    store::update_incremental(spi, *record, view.schema, view.name);
  });
}

}  // namespace metrics_refresh::engine
