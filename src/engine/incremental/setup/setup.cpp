#include "engine/incremental/setup/setup.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/elsewhere.hpp"
#include "engine/definition/known_scans.hpp"
#include "engine/incremental/capture/capture_dependencies.hpp"
#include "engine/incremental/capture/delta.hpp"
#include "engine/incremental/setup/delta_objects.hpp"
#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "pg/access_method.hpp"
#include "pg/identity.hpp"
#include "pg/role.hpp"
#include "pg/transaction.hpp"
#include "store/incremental.hpp"

// Setting up locks tables against writers, so a role must not be able to cause that without the
// privilege. The order of steps follows from this:
// - Derive the rules in a subtransaction that is rolled back, so that no lock is left.
// - Check the privilege TRIGGER for all roles.
// - Lock the view and then its tables, and derive the rules again. If they differ, raise 40001.
// - Make the delta tables and triggers, and store the rows of incremental_view and
//   incremental_parent. The second derivation is needed because a table can be altered before it is
//   locked.

namespace metrics_refresh::engine {
namespace {

// Derives the rules in the current memory context.
Derivation derive(Oid view) {
  Relation const relation = try_table_open(view, AccessShareLock);
  if (relation == nullptr)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("the materialized view with OID %u does not exist any more", view)));
  Derivation derivation =
      derive_keys(static_cast<Query*>(copyObjectImpl(definition_of(relation))), view);
  // The view writer reads and writes rows by their ctid, so only the heap access method is
  // supported.
  if (!pg::is_heap(relation->rd_rel->relam))
    derivation.reason =
        psprintf("its access method %s is not heap", get_am_name(relation->rd_rel->relam));
  table_close(relation, NoLock);
  return derivation;
}

// Deriving runs no code of the owner. If it ever did, that code would run with the owner's rights.
// But planning a scan of the tables can run code of their owners. So no plan is made if this
// session may not run the owner's code; a worker repeats the check later.
Derivation derive_as_owner(const View& view) {
  const Oid oid = view.oid;
  const bool may_plan = are_scans_hooked() && may_plan_for(view.owner);
  pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
  Derivation derivation = pg::call([oid] { return derive(oid); });
  if (!may_plan || derivation.reason != nullptr) return derivation;
  pg::with_fixed_search_path([&derivation] {
    pg::call([&derivation] {
      for (int at = 0; at < derivation.table_count && derivation.reason == nullptr; ++at)
        derivation.reason = reason_scanned_elsewhere(derivation.tables[at].oid, false);
    });
  });
  return derivation;
}

// Keeps no lock, because the privileges for locking these tables are checked only afterwards.
Derivation derive_without_locks(const View& view) {
  Derivation derivation = {};
  pg::in_discarded_subtransaction([&] { derivation = derive_as_owner(view); });
  return derivation;
}

std::string table_name(Oid table) {
  return pg::call([table]() -> const char* {
    const char* const name = get_rel_name(table);
    // A concurrent DROP TABLE is possible, because no lock is held yet.
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
  // The triggers fire with the rights of the writers, but they belong to the table. Everyone who
  // causes them needs TRIGGER on it, as for CREATE TRIGGER.
  for (const Oid role : roles) require_view_rights(role, view);
  require_trigger_privilege(derivation, view.owner);
  for (const Oid role : roles) require_trigger_privilege(derivation, role);
}

void require_possible(const View& view, const Derivation& derivation) {
  if (derivation.reason == nullptr) return;
  throw pg::SqlError(
      ERRCODE_FEATURE_NOT_SUPPORTED,
      "materialized view \"" + view.name + "\" cannot be refreshed incrementally",
      "Strategies auto and diff refresh any definition.",
      "Its definition cannot be kept by keys: " + std::string(derivation.reason) + ".");
}

bool is_capture_complete(int64 id, const Derivation& derivation) {
  return pg::call([&derivation, id] { return read_capture(id, derivation).reason == nullptr; });
}

// Blocks writers and ALTER TABLE. A concurrent refresh of a materialized view that this one reads
// either has ended before, or will see the new row in incremental_parent.
void lock_tables(const Derivation& derivation) {
  for (int at = 0; at < derivation.table_count; ++at) {
    const KeyTable table = derivation.tables[at];
    pg::call([table] {
      LockRelationOid(table.oid,
                      is_matview(table) ? ShareUpdateExclusiveLock : ShareRowExclusiveLock);
    });
  }
}

bool are_same(const Derivation& a, const Derivation& b) {
  if (a.reason != nullptr || b.reason != nullptr || a.table_count != b.table_count) return false;
  for (int at = 0; at < a.table_count; ++at)
    if (a.tables[at].oid != b.tables[at].oid ||
        !bms_equal(a.tables[at].columns, b.tables[at].columns))
      return false;
  return true;
}

// The owner may also have changed, and the privileges were checked for the old one.
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
      // Checked beforehand for the hint: the server's error does not say why the name is needed.
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
    // A materialized view cannot have triggers.
    if (!pg::call([table] { return is_matview(table); })) {
      pg::call([=] { make_triggers(id, at, table); });
      continue;
    }
    const View parent = read_view(table.oid);
    store::insert_parent(spi, id, pg::call([=] { return delta_name(id, at); }),
                         pg::call([&table] { return column_names(table); }), parent.schema,
                         parent.name);
  }
  pg::call([id] { add_extension_dependencies(id); });
}

// Removing triggers and delta tables needs locks that other sessions can hold for long, so a role
// that keeps making and dropping views could let them accumulate. A removal itself is never
// refused. Open transactions of other sessions do not count.
void check_share_of_leftovers(pg::Spi& spi, Oid owner) {
  if (pg::is_superuser(owner)) return;
  const std::map<Oid, std::int64_t> counts = store::leftovers_by_owner(spi, owner);
  const std::int64_t most = settings::max_jobs_per_role();
  const auto found = counts.find(owner);
  if (found == counts.end() || found->second < most) return;
  throw pg::SqlError(
      ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
      "role \"" + pg::role_name(owner) +
          "\" would have more incremental views to be removed than it may",
      "Wait until the scheduler has removed their triggers and delta tables. It cannot while a "
      "transaction holds a lock on the tables that the views read. Or ask an administrator to "
      "raise "
      "metrics_refresh.max_jobs_per_role.",
      "There are " + std::to_string(found->second) +
          " already; metrics_refresh.max_jobs_per_role is " + std::to_string(most) + ".");
}

// A refresh also locks the view before anything else. The same order prevents deadlocks.
void lock_against_refresh(Oid view) {
  pg::call([view] { LockRelationOid(view, ShareUpdateExclusiveLock); });
}

}  // namespace

std::string reason_not_incremental(const View& view) {
  const char* reason = derive_as_owner(view).reason;
  return reason != nullptr ? reason : "";
}

void set_up_incremental(const View& view, const std::vector<Oid>& roles, bool restore) {
  const Oid oid = view.oid;
  for (const Oid role : roles) require_view_rights(role, view);
  const Derivation derivation = derive_without_locks(view);
  require_possible(view, derivation);
  extension::as_extension([&](pg::Spi& spi) {
    std::optional<store::IncrementalView> record;
    bool is_whole = false;
    const auto is_done = [&] {
      record = store::find_incremental(spi, oid);
      is_whole = record && is_capture_complete(record->id, derivation);
      return is_whole && (record->demoted.empty() || !restore);
    };
    // Checked without a lock first: in the usual case everything is in place, and writers are not
    // blocked.
    if (is_done()) return;
    require_rights(view, derivation, roles);
    lock_against_refresh(oid);
    // Another session may have done the work while this one waited for the lock.
    if (is_done()) return;
    if (is_whole) {
      record->fingerprint.clear();
      record->demoted.clear();
      store::update_incremental(spi, *record, view.schema, view.name);
      return;
    }
    check_share_of_leftovers(spi, view.owner);
    lock_tables(derivation);
    require_unchanged(view, derivation);
    // The old objects are removed later by the scheduler, because dropping a trigger also blocks
    // readers of the table.
    const std::string demoted = record && !restore ? record->demoted : "";
    if (record) store::delete_incremental(spi, record->id);
    record = store::insert_incremental(spi, oid, view.schema, view.name);
    make_objects(spi, record->id, derivation);
    if (demoted.empty()) return;
    record->demoted = demoted;
    store::update_incremental(spi, *record, view.schema, view.name);
  });
}

}  // namespace metrics_refresh::engine
