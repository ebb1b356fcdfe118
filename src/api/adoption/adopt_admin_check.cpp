// Finds settings for an adopted installation.
//
// The adoption proposes two settings of the database. metrics_refresh.admin_check is the function
// that decided in the old installation which users are admins. metrics_refresh.log_retention is the
// retention of the old cleanup function. Only a superuser can set them; for other callers the
// statement is shown.
#include "api/adoption/adopt_admin_check.hpp"

#include "api/access.hpp"
#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "pg/identity.hpp"
#include "pg/quote.hpp"
#include "pg/role.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

struct Check {
  Oid oid = InvalidOid;
  Oid owner = InvalidOid;
  std::string name;  // as it would be written in the setting
  // Only superusers can replace the function.
  bool is_preserved = false;
};

std::optional<Check> find_check(const std::string& schema, Oid log) {
  std::optional<Check> check;
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(
        // The candidates are functions without arguments that return boolean and have one of these
        // names. They must be in the schema or be used by a policy of the log. The owner of the
        // function and of its schema could replace it, so both must be superusers.
        "SELECT p.oid, p.proowner AS owner,"
        " quote_ident(n.nspname) || '.' || quote_ident(p.proname) AS name,"
        " (SELECT bool_and(r.rolsuper) FROM pg_roles r WHERE r.oid IN (p.proowner,"
        "  CASE WHEN n.nspowner = 'pg_database_owner'::regrole THEN (SELECT datdba FROM pg_database"
        "   WHERE datname = current_database()) ELSE n.nspowner END))"
        " AS is_preserved"
        " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE p.pronargs = 0 AND p.prokind = 'f' AND NOT p.proretset"
        "  AND p.prorettype = 'bool'::regtype AND NOT EXISTS (SELECT FROM pg_depend e"
        "   WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')"
        "  AND (n.nspname = $1 AND p.proname IN ('is_super_admin', 'is_admin')"
        "   OR p.proname IN ('is_super_admin', 'is_admin', 'is_superadmin')"
        "   AND EXISTS (SELECT FROM pg_policy y JOIN pg_depend d ON d.objid = y.oid"
        "    AND d.classid = 'pg_policy'::regclass WHERE y.polrelid = $2 AND d.refobjid = p.oid"
        "    AND d.refclassid = 'pg_proc'::regclass))"
        " ORDER BY n.nspname <> $1, p.proname = 'is_admin' LIMIT 1",
        {schema, Param::oid(log)});
    if (!rows.empty())
      check = Check{rows.get_oid(0, "oid"), rows.get_oid(0, "owner"), rows.get_text(0, "name"),
                    rows.get_bool(0, "is_preserved")};
  });
  return check;
}

// The value of the setting with which new sessions in this database begin, or empty if the database
// has no value for it.
std::string database_setting(const std::string& name) {
  std::string value;
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(
        "SELECT substr(c, length($1) + 2) AS value FROM pg_db_role_setting s, unnest(s.setconfig) c"
        " WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database"
        "  WHERE datname = current_database()) AND starts_with(c, $1 || '=')",
        {name});
    if (!rows.empty()) value = rows.get_text(0, "value");
  });
  return value;
}

std::string for_database() {
  return "ALTER DATABASE " +
         pg::identifier(pg::call([]() -> const char* { return get_database_name(MyDatabaseId); })) +
         " ";
}

void set(Adoption& adoption, const std::string& name, const std::string& value,
         const std::string& note) {
  const std::string statement = for_database() + "SET " + name + " = " + pg::literal(value);
  // ALTER DATABASE SET of these settings needs a superuser.
  if (!pg::is_superuser(GetUserId()))
    return adoption.leave("setting " + name, note + "; for a superuser to run", statement);
  const std::string before = database_setting(name);
  adoption.run("setting " + name, "set", statement, note + "; for new sessions");
  adoption.undo("setting " + name,
                {for_database() +
                 (before.empty() ? "RESET " + name : "SET " + name + " = " + pg::literal(before))});
}

// Calls the function as its owner in a subtransaction that is rolled back. An error would also
// occur for every user that is checked.
std::string try_out(const Check& check) {
  std::string reason;
  const std::string query = "SELECT " + check.name + "()";
  pg::in_discarded_subtransaction([&] {
    pg::ActAs scope(check.owner, SECURITY_RESTRICTED_OPERATION);
    const auto error = pg::in_subtransaction([&] {
      pg::with_fixed_search_path([&] {
        pg::Spi spi;
        spi.run_discarding(query);
      });
    });
    if (error) reason = error->what();
  });
  return reason;
}

}  // namespace

void adopt_admin_check(Adoption& adoption, const std::string& schema, Oid log) {
  const std::string name = "metrics_refresh.admin_check";
  // The setting of this session may be older than that of the database.
  const std::string present =
      settings::admin_check().empty() ? database_setting(name) : settings::admin_check();
  if (!present.empty()) return adoption.found("setting " + name, "it names " + present + "()");
  const std::optional<Check> check = find_check(schema, log);
  if (!check)
    return adoption.leave(
        "setting " + name,
        "no function is_super_admin() or is_admin() was found: without one, super "
        "admins are superusers and members of metrics_refresh.admin_role");
  if (!check->is_preserved)
    return adoption.leave("setting " + name,
                          "a superuser has to decide: " + check->name + "() belongs to role " +
                              pg::role_name(check->owner) +
                              ", or its schema to somebody else, who would say who is an admin",
                          for_database() + "SET " + name + " = " + pg::literal(check->name));
  // The extension calls the function with a fixed search_path, so that unqualified names in it may
  // fail.
  const std::string reason = try_out(*check);
  if (!reason.empty())
    return adoption.leave("setting " + name, check->name +
                                                 "() does not work with search_path = "
                                                 "pg_catalog: " +
                                                 reason);
  set(adoption, name, check->name,
      "a guess: whom " + check->name + "() accepts would manage all jobs, see docs/security.md");
}

void adopt_retention(Adoption& adoption, const store::OldFunction& cleanup) {
  constexpr char kName[] = "metrics_refresh.log_retention";
  std::int64_t minutes = 0;
  extension::as_extension([&](pg::Spi& spi) {
    minutes =
        spi.query(
               // The retention is taken from the first interval in the text of the function.
               // If there is none, it is the default of the argument, a number of days.
               "SELECT coalesce((SELECT extract(epoch FROM replace(m[1], '''', '')::interval)"
               " / 60 FROM regexp_matches($1, '(\\d{1,4}\\s*(?:hour|day|week|month|year)s?)',"
               " 'i') m LIMIT 1),"
               " 1440 * (regexp_match($2, 'DEFAULT (\\d{1,5})$'))[1]::int, 0)::bigint AS minutes",
               {cleanup.source, cleanup.arguments})
            .get_int64(0, "minutes");
  });
  const std::int64_t present =
      std::chrono::duration_cast<std::chrono::minutes>(settings::log_retention()).count();
  // A shorter retention is not proposed, because it would delete rows.
  if (minutes <= present || !database_setting(kName).empty()) return;
  set(adoption, kName, std::to_string(minutes) + "min",
      "as " + cleanup.signature + " had it; without it the next clean-up would remove more");
}

}  // namespace metrics_refresh::api
