// Replaces a hand-written log by a view over the log of the extension.
//
// The steps are: copy the rows, rename the table, create the view, grant the privileges of the
// table on it, and move dependent views. Nothing of the table's owner runs with other rights than
// those of the owner. Therefore rows are read as the owner and arrive as values
// (pg/owner_rows.hpp), and definitions run as the owner (pg/definition_statement.hpp).
#include "api/adoption/adopt_log.hpp"

#include "api/access.hpp"
#include "extension/own_schema.hpp"
#include "pg/definition_statement.hpp"
#include "pg/owner_rows.hpp"
#include "pg/quote.hpp"
#include "pg/role.hpp"
#include "store/adoption/log_columns.hpp"
#include "store/adoption/log_copy.hpp"
#include "store/adoption/log_view.hpp"

namespace metrics_refresh::api {
namespace {

using store::OldLog;

std::string object_of(const OldLog& log) { return "table " + pg::qualified(log.schema, log.name); }

std::optional<OldLog> read(const std::string& schema, const std::string& name,
                           const std::vector<Oid>& replaced) {
  std::optional<OldLog> log;
  extension::as_extension(
      [&](pg::Spi& spi) { log = store::read_old_log(spi, schema, name, replaced); });
  return log;
}

// A free name to rename the table to. Every relation has a type with its name, so both catalogs are
// searched.
std::string free_name(const OldLog& log) {
  std::string name;
  extension::as_extension([&](pg::Spi& spi) {
    for (int i = 1; name.empty(); ++i) {
      const std::string wished =
          log.name + "_before_adoption" + (i > 1 ? "_" + std::to_string(i) : "");
      if (spi.query("SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = $1 AND c.relname = $2"
                    " UNION ALL SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = "
                    "t.typnamespace WHERE n.nspname = $1 AND t.typname = $2",
                    {log.schema, wished})
              .empty())
        name = wished;
    }
  });
  return name;
}

std::string rows_note(std::int64_t rows, const store::OldRows& counted) {
  std::string note = std::to_string(rows) + " rows";
  if (counted.high_ids > 0)
    note += "; " + std::to_string(counted.high_ids) +
            " with an id that is too high to be counted on from: new runs have lower ones";
  return note;
}

// Code of the table's owner runs only with the owner's rights: the rows arrive here as values.
std::string copy(const OldLog& log, const engine::View& view, const store::OldRows& counted) {
  std::int64_t rows = 0;
  extension::as_extension([&](pg::Spi& spi) { store::begin_above(spi, counted.last_id); });
  pg::read_as_owner(log.owner, log.oid, store::row_query(log), [&](const pg::Rows& some) {
    extension::as_extension([&](pg::Spi& spi) {
      store::copy_rows(spi, log, view.name, pg::array_of(some, "old_row"));
    });
    rows += static_cast<std::int64_t>(some.size());
  });
  return rows_note(rows, counted);
}

std::string view_note(const OldLog& log) {
  const std::string unfilled = store::unfilled_columns(log);
  std::string note = unfilled.empty() ? "" : "NULL in new rows: " + unfilled;
  if (log.has_policies)
    core::append_item(
        note, "whom the policies admit sees rows if he is a super admin or has the owner's rights",
        "; ");
  return note;
}

void replace_table(Adoption& adoption, const OldLog& log, const engine::View& view,
                   const std::string& backup) {
  const std::string table = pg::qualified(log.schema, log.name);
  const store::OldLog::Column* status = store::find_column(log, store::LogColumn::kStatus);
  const store::OldRows rows = store::count_rows(log);
  adoption.work(
      "rows of " + table, "copied into the log",
      [log, view, rows] { return copy(log, view, rows); }, rows_note(rows.all, rows));
  adoption.define(object_of(log), "renamed",
                  "ALTER TABLE " + table + " RENAME TO " + pg::identifier(backup), GetUserId(),
                  "it keeps its rows, policies and grants: drop it when it is not needed any more");
  // Created as the owner of the table, because it contains the conditions of the owner's policies.
  adoption.define(
      "view " + table, "made",
      store::view_statement(
          log, view.name, status != nullptr && !status->words.empty() ? status->words : rows.words),
      log.owner, view_note(log));
}

// Grants the privileges of the table. Privileges from ALTER DEFAULT PRIVILEGES are revoked first,
// because the table may not have had them.
void carry_grants(Adoption& adoption, const OldLog& log) {
  const std::string name = pg::qualified(log.schema, log.name);
  std::string others;
  extension::as_extension([&](pg::Spi& spi) {
    others = spi.query(
                    "SELECT coalesce(string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'"
                    " ELSE quote_ident(pg_get_userbyid(a.grantee)) END, ', '), '') AS roles"
                    " FROM pg_default_acl d, aclexplode(d.defaclacl) a"
                    " WHERE d.defaclrole = $1 AND d.defaclobjtype = 'r' AND a.grantee <> $1"
                    " AND (d.defaclnamespace = 0 OR d.defaclnamespace = $2)",
                    {pg::Param::oid(log.owner), pg::Param::oid(log.schema_oid)})
                 .get_text(0, "roles");
  });
  if (!others.empty())
    adoption.define("view " + name, "closed to default privileges",
                    "REVOKE ALL ON " + name + " FROM " + others, GetUserId());
  for (const std::string& grant : log.grants)
    adoption.define("view " + name, "granted as the table was", grant, GetUserId());
}

std::string view_over(const store::OldLog::Dependent& dependent, const std::string& name) {
  return "CREATE OR REPLACE VIEW " + name +
         (dependent.options.empty() ? "" : " WITH (" + dependent.options + ")") + " AS\n" +
         dependent.definition;
}

// The reason why its owner could not create the view again, or empty. With a reason, the view can
// neither be moved nor restored.
std::string reason_against_dependent(const store::OldLog::Dependent& dependent) {
  std::string type;
  extension::as_extension([&](pg::Spi& spi) {
    type = store::foreign_type(spi, "pg_rewrite", store::rules_of(spi, dependent.oid),
                               dependent.owner);
  });
  if (!type.empty()) return "its text may run code of " + type;
  // Under another name, so that readers of the view do not wait for the lock of a dry run.
  const std::string trial =
      dependent.schema + "." + pg::identifier("trial_" + std::to_string(dependent.oid));
  const std::string reason =
      pg::reason_against_definitions({view_over(dependent, trial)}, dependent.owner);
  return reason.empty() ? ""
                        : "its owner, role \"" + pg::role_name(dependent.owner) +
                              "\", could not make it again: " + reason;
}

void carry_dependent(Adoption& adoption, const OldLog& log,
                     const store::OldLog::Dependent& dependent) {
  if (dependent.view.empty())
    return adoption.block(dependent.description, "it depends on " + object_of(log));
  const std::string reason = reason_against_dependent(dependent);
  if (!reason.empty()) return adoption.block(dependent.description, reason);
  adoption.define(dependent.description, "moved to the new view",
                  view_over(dependent, dependent.view), dependent.owner,
                  dependent.options.find("security_invoker=true") == std::string::npos
                      ? "its readers see what they may see of the log themselves"
                      : "");
}

// The table needs its old name before the views are moved back to it.
void undo(Adoption& adoption, const OldLog& log, const std::string& backup) {
  const std::string table = pg::qualified(log.schema, log.name);
  std::vector<std::string> statements;
  std::string view = log.name;
  if (!log.dependents.empty()) {
    view = backup + "_view";
    // The new view cannot be dropped while other views depend on it, so it is renamed first.
    statements.push_back("ALTER VIEW " + table + " RENAME TO " + pg::identifier(view));
  } else {
    statements.push_back("DROP VIEW " + table);
  }
  statements.push_back("ALTER TABLE " + pg::qualified(log.schema, backup) + " RENAME TO " +
                       pg::identifier(log.name));
  for (const store::OldLog::Dependent& dependent : log.dependents)
    statements.push_back(restore_statement(dependent.owner, view_over(dependent, dependent.view)));
  if (!log.dependents.empty()) statements.push_back("DROP VIEW " + pg::qualified(log.schema, view));
  statements.push_back("SELECT metrics_refresh.forget_adopted_runs(" + pg::literal(log.schema) +
                       ")");
  adoption.undo(object_of(log), statements);
}

void tell_of_watchers(Adoption& adoption, const OldLog& log) {
  // Functions that write to the table would fail, so they block. Triggers and publications only
  // lose their effect.
  for (const std::string& function : log.writers)
    adoption.block("function " + function,
                   "it writes to " + object_of(log) + ", which becomes a view");
  for (const std::string& trigger : log.triggers)
    adoption.leave("trigger " + trigger, "it stays with the renamed table, and fires no more");
  for (const std::string& rule : log.rules)
    adoption.leave("rule " + rule, "it stays with the renamed table, and rewrites no more");
  for (const std::string& publication : log.publications)
    adoption.leave("publication " + publication,
                   "it has the renamed table; a view cannot be published");
}

std::string reason_against_log(const OldLog& log, Oid view_owner, Oid schema_owner) {
  const std::string reason = store::reason_against_log(log);
  if (!reason.empty()) return reason;
  const std::string owner = "role \"" + log.owner_name + "\"";
  if (!is_trusted(log.owner) && log.owner != view_owner && log.owner != schema_owner)
    return "it belongs to " + owner + ", who owns neither the materialized view nor the schema";
  if (!log.owner_may_create)
    return owner + ", its owner, lacks CREATE on the schema to make the view in its place";
  if (log.is_bound)
    return "its policies bind its owner too, who cannot read all rows: ALTER TABLE … NO FORCE ROW "
           "LEVEL SECURITY lets him";
  std::string type;
  extension::as_extension([&](pg::Spi& spi) {
    type = store::foreign_type(spi, "pg_policy", store::policies_of(spi, log.oid), log.owner);
  });
  return type.empty() ? "" : "the text of its policies may run code of " + type;
}

// Statements refer to objects by name. Another session may have given a name to a different object.
void require_replaced(const OldLog& log, const std::string& backup) {
  const std::optional<OldLog> table = read(log.schema, backup, {});
  const std::optional<OldLog> view = read(log.schema, log.name, {});
  const bool is_same = table && table->oid == log.oid && table->owner == log.owner &&
                       table->schema_oid == log.schema_oid && view && view->reads_log &&
                       view->owner == log.owner && view->schema_oid == log.schema_oid;
  if (is_same && table->dependents.empty()) return;
  throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                     object_of(log) + " or a view over it was changed by another session",
                     "Nothing was changed: try again.");
}

}  // namespace

std::optional<OldLog> find_log(const Adoption& adoption, const std::string& schema,
                               const std::string& name, const std::vector<Oid>& replaced) {
  for (;;) {
    std::optional<OldLog> log = read(schema, name, replaced);
    if (!log) return log;
    require_ownership(log->owner, object_of(*log));
    // A view is the result of an earlier adoption and needs no lock.
    if (adoption.dry_run() || log->kind == RELKIND_VIEW) return log;
    const Oid oid = log->oid;
    pg::call([oid] { LockRelationOid(oid, AccessExclusiveLock); });
    // Read again, because the table may have changed before the lock was granted.
    log = read(schema, name, replaced);
    if (log && log->oid == oid && pg::has_rights_of(log->owner)) return log;
  }
}

void adopt_log(Adoption& adoption, const OldLog& log, const engine::View& view, Oid schema_owner) {
  if (log.is_member) return adoption.block(object_of(log), "it is an extension's own");
  if (log.reads_log) return adoption.found("view " + pg::qualified(log.schema, log.name));
  const std::string reason = reason_against_log(log, view.owner, schema_owner);
  if (!reason.empty()) return adoption.block(object_of(log), reason);
  const std::string backup = free_name(log);
  replace_table(adoption, log, view, backup);
  carry_grants(adoption, log);
  for (const store::OldLog::Dependent& dependent : log.dependents)
    carry_dependent(adoption, log, dependent);
  tell_of_watchers(adoption, log);
  undo(adoption, log, backup);
  adoption.check([log, backup] { require_replaced(log, backup); });
}

}  // namespace metrics_refresh::api
