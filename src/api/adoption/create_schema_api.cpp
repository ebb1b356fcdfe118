// create_schema_api(): makes a group for a schema of materialized views, and the functions that are
// commonly written for such a schema. Existing functions with these names are replaced.
#include "api/adoption/adopt_jobs.hpp"

#include "api/access.hpp"
#include "api/adoption/adopt_functions.hpp"
#include "api/jobs/group_views.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/quote.hpp"
#include "pg/role.hpp"
#include "store/adoption/schema_functions.hpp"

namespace metrics_refresh::api {
namespace {

struct Group {
  std::string name;  // or its number, if other jobs have the same name
  bool is_there;
};

bool has_name(const std::vector<store::JobRecord>& jobs, const std::string& name) {
  for (const store::JobRecord& job : jobs)
    if (job.name == name) return true;
  return false;
}

// The group of the schema. A new one is named after the schema, unless another kind of job has that
// name. Groups of other roles are ignored.
Group group_of(const std::string& schema, Oid schema_owner) {
  std::vector<store::JobRecord> jobs;
  extension::as_extension([&](pg::Spi& spi) { jobs = store::load_jobs(spi); });
  for (const store::JobRecord& job : jobs) {
    if (job.group_schema != schema || job.one_time) continue;
    std::size_t namesakes = 0;
    std::optional<store::JobKey> key;
    extension::as_extension([&](pg::Spi& spi) {
      namesakes = store::jobs_named(spi, job.name).size();
      key = store::find_key(spi, job.id);
    });
    if (!key || (key->owner_oid != schema_owner && !is_trusted(key->owner_oid))) continue;
    return {namesakes > 1 ? std::to_string(job.id) : job.name, true};
  }
  std::string name = is_job_id(schema) ? "schema " + schema : schema;
  while (has_name(jobs, name)) name += " views";
  return {name, false};
}

// If the schema's owner may refresh the views, the group belongs to it. The owner can then call the
// functions, like admins.
void make_group(Adoption& adoption, const std::string& schema, const Group& group,
                const std::string& owner) {
  const CronCalls calls = find_calls(adoption, schema, {"refresh_all_views", "manual_refresh"}, "");
  // Its schedule becomes that of the group.
  const CronCall* const call = first_of(calls, {"refresh_all_views", "manual_refresh"});
  const std::string object = "group " + group.name;
  if (group.is_there) {
    adoption.found(object, "it refreshes the materialized views of the schema");
  } else {
    std::string statement = "SELECT metrics_refresh.schedule_group(" + pg::literal(group.name) +
                            ", schema_name => " + pg::literal(schema);
    if (call != nullptr)
      statement += ", schedule => " + pg::literal(call->schedule) + ", timezone => " +
                   pg::literal(call->timezone) + (call->old.job.active ? "" : ", active => false");
    if (!owner.empty()) statement += ", owner => " + pg::literal(owner);
    adoption.run(object, "scheduled", statement + ", populate => false)",
                 call != nullptr ? "" : "without a schedule: alter_job() gives it one");
  }
  std::vector<std::string> undo;
  if (!group.is_there)
    undo.push_back("SELECT metrics_refresh.unschedule(" + pg::literal(group.name) + ")");
  for (const CronCall& one : calls.calls) {
    if (!one.old.job.active) continue;
    const std::string job = "job " + std::to_string(one.old.job.source_id) + " of pg_cron";
    if (&one != call || group.is_there) {
      adoption.leave(job,
                     "it goes on to call the function of this name: pause it if the group does "
                     "its work");
      continue;
    }
    replace_call(adoption, calls, one, group.name);
    undo.push_back(statement_to_go_on(one));
  }
  if (!undo.empty()) adoption.undo(object, undo);
}

void find_steps(Adoption& adoption, const std::string& schema) {
  const std::vector<GroupView> views = views_of_schema(schema);
  const char* name = schema.c_str();
  const Oid schema_oid = pg::call([name] { return get_namespace_oid(name, false); });
  const Oid owner = owner_of_schema(schema_oid);
  require_ownership(owner, "schema " + pg::identifier(schema));
  if (views.empty())
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT,
                       "schema \"" + schema + "\" holds no materialized view",
                       "Its functions would have nothing to refresh.");
  const Group group = group_of(schema, owner);
  const std::vector<store::Thin> thin = store::schema_functions(schema, group.name);
  const std::vector<store::OldFunction> functions = find_functions(schema_oid, thin);
  make_group(adoption, schema, group, may_refresh_all(owner, views) ? pg::role_name(owner) : "");
  adopt_functions(adoption, schema, functions, thin, true, {owner});
}

Datum create_schema_api(FunctionCallInfo call) {
  const Arguments arguments(call);
  const std::string schema = Arguments::required(arguments.get_text(0), "schema_name");
  Adoption adoption(Arguments::required(arguments.get_bool(1), "dry_run"));
  extension::require_super_admin("making the functions of a schema");
  adoption.find([&] { find_steps(adoption, schema); });
  adoption.finish(call);
  return 0;
}

Datum require_schema_rights(FunctionCallInfo call) {
  const std::string schema = Arguments::required(Arguments(call).get_text(0), "schema_name");
  const std::vector<GroupView> views = views_of_schema(schema);
  if (views.empty())
    require_rights_over_schema(schema);
  else
    (void)group_refresher(views);
  return 0;
}

}  // namespace

MR_SQL_FUNCTION(mr_create_schema_api, create_schema_api);
MR_SQL_FUNCTION(mr_require_schema_rights, require_schema_rights);

}  // namespace metrics_refresh::api
