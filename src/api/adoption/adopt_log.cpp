#include "api/adoption/adopt_log.hpp"

#include "api/access.hpp"
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
  with_tables([&](pg::Spi& spi) { log = store::read_old_log(spi, schema, name, replaced); });
  return log;
}

// A name that is free for the table itself.
std::string free_name(const OldLog& log) {
  std::string name;
  with_tables([&](pg::Spi& spi) {
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

// Values as texts that any session reads alike.
template <typename Body>
void with_settings_of_a_dump(Body&& body) {
  const int level = pg::call([] {
    const int nested = NewGUCNestLevel();
    const char* const settings[][2] = {{"datestyle", "ISO"},
                                       {"intervalstyle", "iso_8601"},
                                       {"extra_float_digits", "1"},
                                       {"bytea_output", "hex"}};
    for (const auto& setting : settings)
      (void)set_config_option(setting[0], setting[1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                              true, 0, false);
    return nested;
  });
  body();
  pg::call([level] { AtEOXact_GUC(false, level); });
}

// Our own text, and nothing of the table's owner runs in it: columns of types of the server are
// cast, others written by their output functions, which only a superuser makes.
std::string copy(const OldLog& log, const engine::View& view) {
  std::int64_t rows = 0;
  with_settings_of_a_dump([&] {
    with_tables([&](pg::Spi& spi) {
      const std::optional<OldLog> now = store::read_old_log(spi, log.schema, log.name, {});
      if (!now || now->oid != log.oid)
        throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                           object_of(log) + " was renamed by another session", "Try again.");
      rows = store::copy_rows(spi, log, view.name);
    });
  });
  return std::to_string(rows) + " rows";
}

std::string note_on_view(const OldLog& log) {
  const std::string unfilled = store::unfilled_columns(log);
  std::string note = unfilled.empty() ? "" : "NULL in new rows: " + unfilled;
  if (log.has_policies)
    note += std::string(note.empty() ? "" : "; ") +
            "whom the policies admit sees rows if he is a super admin or has the owner's rights";
  return note;
}

void replace_table(Adoption& adoption, const OldLog& log, const engine::View& view) {
  const std::string table = pg::qualified(log.schema, log.name);
  const std::string backup = free_name(log);
  const store::OldLog::Column* status = store::find_column(log, store::LogColumn::kStatus);
  store::OldRows rows;
  with_tables([&](pg::Spi& spi) {
    rows = store::count_rows(spi, log, status != nullptr ? status->name : "");
  });
  adoption.work(
      "rows of " + table, "copied into the log", [log, view] { return copy(log, view); },
      std::to_string(rows.all) + " rows");
  adoption.run(object_of(log), "renamed",
               "ALTER TABLE " + table + " RENAME TO " + pg::identifier(backup),
               "it keeps its rows, policies and grants: drop it when it is not needed any more");
  adoption.run(
      "view " + table, "made",
      store::view_statement(
          log, view.name, status != nullptr && !status->words.empty() ? status->words : rows.words),
      note_on_view(log));
}

// The rights of the table, and none that ALTER DEFAULT PRIVILEGES gives.
void carry_grants(Adoption& adoption, const OldLog& log) {
  const std::string name = pg::qualified(log.schema, log.name);
  if (log.owner != GetUserId())
    adoption.run("view " + name, "given to the table's owner",
                 "ALTER VIEW " + name + " OWNER TO " + pg::identifier(log.owner_name));
  std::string others;
  with_tables([&](pg::Spi& spi) {
    others = spi.query(
                    "SELECT coalesce(string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'"
                    " ELSE quote_ident(pg_get_userbyid(a.grantee)) END, ', '), '')"
                    " FROM pg_default_acl d, aclexplode(d.defaclacl) a"
                    " WHERE d.defaclrole = $1 AND d.defaclobjtype = 'r' AND a.grantee <> $1"
                    " AND a.grantee <> $2 AND (d.defaclnamespace = 0 OR d.defaclnamespace ="
                    "  (SELECT oid FROM pg_namespace WHERE nspname = $3))",
                    {pg::Param::oid(GetUserId()), pg::Param::oid(log.owner), log.schema})
                 .get_text(0, 1);
  });
  if (!others.empty())
    adoption.run("view " + name, "closed to default privileges",
                 "REVOKE ALL ON " + name + " FROM " + others);
  for (const std::string& grant : log.grants) {
    std::string statement = "GRANT " + grant;
    statement.replace(statement.find("%s"), 2, name);
    adoption.run("view " + name, "granted as the table was", statement);
  }
}

std::string view_over(const store::OldLog::Dependent& dependent) {
  return "CREATE OR REPLACE VIEW " + dependent.view +
         (dependent.options.empty() ? "" : " WITH (" + dependent.options + ")") + " AS\n" +
         dependent.definition;
}

void carry_dependents(Adoption& adoption, const OldLog& log) {
  for (const store::OldLog::Dependent& dependent : log.dependents)
    if (dependent.view.empty())
      adoption.block(dependent.description, "it depends on " + object_of(log));
    else if (!is_trusted(dependent.owner))
      adoption.block(dependent.description, stranger(dependent.owner));
    else
      adoption.run(dependent.description, "moved to the new view", view_over(dependent),
                   dependent.options.find("security_invoker=true") == std::string::npos
                       ? "its readers see what they may see of the log themselves"
                       : "");
}

// The old name has to be the table's again before views are moved back to it.
void undo(Adoption& adoption, const OldLog& log, const std::string& backup) {
  const std::string table = pg::qualified(log.schema, log.name);
  std::vector<std::string> statements;
  std::string view = log.name;
  if (!log.dependents.empty()) {
    view = backup + "_view";
    statements.push_back("ALTER VIEW " + table + " RENAME TO " + pg::identifier(view));
  } else {
    statements.push_back("DROP VIEW " + table);
  }
  statements.push_back("ALTER TABLE " + pg::qualified(log.schema, backup) + " RENAME TO " +
                       pg::identifier(log.name));
  for (const store::OldLog::Dependent& dependent : log.dependents)
    statements.push_back(view_over(dependent));
  if (!log.dependents.empty()) statements.push_back("DROP VIEW " + pg::qualified(log.schema, view));
  statements.push_back("SELECT metrics_refresh.forget_adopted_runs(" + pg::literal(log.schema) +
                       ")");
  adoption.undo(object_of(log), statements);
}

void tell_of_watchers(Adoption& adoption, const OldLog& log) {
  for (const std::string& function : log.writers)
    adoption.block("function " + function,
                   "it writes to " + object_of(log) + ", which becomes a view");
  for (const std::string& trigger : log.triggers)
    adoption.leave("trigger " + trigger, "it stays with the renamed table, and fires no more");
  for (const std::string& publication : log.publications)
    adoption.leave("publication " + publication,
                   "it has the renamed table; a view cannot be published");
}

}  // namespace

std::optional<OldLog> find_log(const Adoption& adoption, const std::string& schema,
                               const std::string& name, const std::vector<Oid>& replaced) {
  for (;;) {
    std::optional<OldLog> log = read(schema, name, replaced);
    if (!log) return log;
    require_ownership(log->owner, object_of(*log));
    if (adoption.dry_run() || log->kind == RELKIND_VIEW) return log;
    const Oid oid = log->oid;
    pg::call([oid] { LockRelationOid(oid, AccessExclusiveLock); });
    // What it was before the lock may not be so any more.
    log = read(schema, name, replaced);
    if (log && log->oid == oid && pg::has_rights_of(log->owner)) return log;
  }
}

void adopt_log(Adoption& adoption, const OldLog& log, const engine::View& view) {
  if (log.is_member) return adoption.block(object_of(log), "it is an extension's own");
  if (!is_trusted(log.owner)) return adoption.block(object_of(log), stranger(log.owner));
  if (log.reads_log) return adoption.found("view " + pg::qualified(log.schema, log.name));
  const std::string problem = store::problem_of(log);
  if (!problem.empty()) return adoption.block(object_of(log), problem);
  const std::string backup = free_name(log);
  replace_table(adoption, log, view);
  carry_grants(adoption, log);
  carry_dependents(adoption, log);
  tell_of_watchers(adoption, log);
  undo(adoption, log, backup);
}

}  // namespace metrics_refresh::api
