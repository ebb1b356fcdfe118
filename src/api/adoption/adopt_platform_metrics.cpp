// adopt_platform_metrics(): takes over a hand-written installation around the view
// platform_metrics. All parts are examined before anything is changed: the view, the functions, the
// log, the admin check and the jobs of pg_cron. The steps then run in this order in one
// transaction.
#include "api/adoption/adopt_jobs.hpp"

#include "api/access.hpp"
#include "api/adoption/adopt_admin_check.hpp"
#include "api/adoption/adopt_functions.hpp"
#include "api/adoption/adopt_log.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/as_owner.hpp"
#include "pg/definition_statement.hpp"
#include "pg/quote.hpp"
#include "pg/role.hpp"
#include "store/adoption/log_copy.hpp"
#include "store/adoption/platform_functions.hpp"

namespace metrics_refresh::api {
namespace {

constexpr char kLog[] = "metrics_refresh_log";

Oid existing_schema(const std::string& schema) {
  const char* name = schema.c_str();
  const Oid oid = pg::call([name] { return get_namespace_oid(name, true); });
  if (!OidIsValid(oid))
    throw pg::SqlError(ERRCODE_UNDEFINED_SCHEMA, "schema \"" + schema + "\" does not exist");
  return oid;
}

void refuse_own_schema(Oid schema, const std::string& name) {
  bool is_own = false;
  extension::as_extension([&](pg::Spi& spi) {
    is_own = spi.query(
                    "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'metrics_refresh'"
                    " AND extnamespace = $1) AS is_own",
                    {pg::Param::oid(schema)})
                 .get_bool(0, "is_own");
  });
  if (is_own)
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "schema \"" + name +
                           "\" is that of the extension, whose functions and log are "
                           "in it already",
                       "Name the schema of the installation that was written by hand.");
}

engine::View view_of(const std::string& schema) {
  const Oid view = engine::resolve_view({schema, "platform_metrics"});
  if (!OidIsValid(view))
    throw pg::SqlError(
        ERRCODE_UNDEFINED_TABLE,
        "materialized view " + pg::qualified(schema, "platform_metrics") + " does not exist",
        "Name the schema that has it: adopt_platform_metrics(schema_name => …).");
  const engine::View found = engine::read_view(view);
  require_ownership(found.owner,
                    "materialized view " + engine::qualified_name(found.schema, found.name));
  return found;
}

std::vector<Oid> oids_of(const std::vector<store::OldFunction>& functions) {
  std::vector<Oid> oids;
  for (const store::OldFunction& function : functions) oids.push_back(function.oid);
  return oids;
}

// The owner of the schema. For pg_database_owner, the owner of the database.
Oid installation_owner(Oid schema) {
  const Oid owner = owner_of_schema(schema);
  if (owner != ROLE_PG_DATABASE_OWNER) return owner;
  return pg::call([] {
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (!HeapTupleIsValid(tuple)) return InvalidOid;
    const Oid dba = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datdba;
    ReleaseSysCache(tuple);
    return dba;
  });
}

// Objects of several roles are replaced, each of them as its owner.
void require_superuser() {
  if (pg::is_superuser(GetUserId())) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                     "adopting an installation that was written by hand requires a superuser",
                     "A dry run as well: it reads the old table.");
}

void find_steps(Adoption& adoption, const std::string& schema) {
  const Oid schema_oid = existing_schema(schema);
  refuse_own_schema(schema_oid, schema);
  const engine::View view = view_of(schema);
  require_superuser();
  const std::vector<store::Thin> thin = store::platform_functions(schema);
  // The text of these functions mentions the log, but they will be replaced and do not block it.
  const std::vector<Oid> replaced = oids_of(find_functions(schema_oid, thin));
  const std::optional<store::OldLog> log = find_log(adoption, schema, kLog, replaced);
  // Read again, because the lock on the table may have been waited for.
  const std::vector<store::OldFunction> functions = find_functions(schema_oid, thin);
  if (oids_of(functions) != replaced)
    throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                       "the functions of schema \"" + schema + "\" were changed by another session",
                       "Try again.");
  if (!log && functions.empty())
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "schema \"" + schema + "\" has nothing to adopt",
                       "Looked for are the functions refresh_platform_metrics_with_logging, "
                       "trigger_platform_metrics_refresh, cleanup_old_metrics_logs and "
                       "get_metrics_refresh_stats, and a table metrics_refresh_log.");
  const Oid owner = installation_owner(schema_oid);
  if (log) adopt_log(adoption, *log, view, owner);
  adopt_functions(adoption, schema, functions, thin, false, {view.owner, owner});
  adopt_admin_check(adoption, schema, log ? log->oid : InvalidOid);
  for (const store::OldFunction& function : functions)
    if (function.name == "cleanup_old_metrics_logs") adopt_retention(adoption, function);
  adopt_platform_jobs(adoption, schema);
}

Datum adopt_platform_metrics(FunctionCallInfo call) {
  const Arguments arguments(call);
  Adoption adoption(Arguments::required(arguments.get_bool(0), "dry_run"));
  const std::string schema = Arguments::required(arguments.get_text(1), "schema_name");
  extension::require_super_admin("adopting an installation that was written by hand");
  adoption.find([&] { find_steps(adoption, schema); });
  adoption.finish(call);
  return 0;
}

Datum restore_definition(FunctionCallInfo call) {
  const Arguments arguments(call);
  const std::string owner = Arguments::required(arguments.get_text(0), "owner");
  const std::string statement = Arguments::required(arguments.get_text(1), "statement");
  const Oid role = pg::role_oid(owner);
  if (!OidIsValid(role))
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "role \"" + owner + "\" does not exist");
  if (!pg::can_act_as(role))
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied to define something as role \"" + owner + "\"",
                       "A role that may SET ROLE to it, or a superuser, may do this.");
  pg::restore_definition(statement, role);
  return 0;
}

Datum forget_adopted_runs(FunctionCallInfo call) {
  const std::string schema = Arguments::required(Arguments(call).get_text(0), "schema_name");
  extension::require_super_admin("removing log rows");
  std::int64_t removed = 0;
  extension::as_extension([&](pg::Spi& spi) { removed = store::forget_copied_rows(spi, schema); });
  return Int64GetDatum(removed);
}

}  // namespace

MR_SQL_FUNCTION(mr_adopt_platform_metrics, adopt_platform_metrics);
MR_SQL_FUNCTION(mr_restore_definition, restore_definition);
MR_SQL_FUNCTION(mr_forget_adopted_runs, forget_adopted_runs);

}  // namespace metrics_refresh::api
