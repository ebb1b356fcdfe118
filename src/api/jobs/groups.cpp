// schedule_group(), and the functions that run a group once: refresh_all_views(),
// refresh_dependents() and populate_views(). The latter make a job for one run, request its run,
// and return the number of that run. They do not wait for it.
#include "api/jobs/group_views.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "api/jobs/job_settings.hpp"
#include "api/jobs/options.hpp"
#include "api/jobs/write_job.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "shmem/shmem.hpp"
#include "store/one_time_jobs.hpp"

namespace metrics_refresh::api {
namespace {

bool is_unpopulated(const GroupView& member) { return !member.populated; }

Datum schedule_group(FunctionCallInfo call) {
  const NamedArguments arguments(call);
  const std::string name = Arguments::required(arguments.get_text("group_name"), "group_name");
  const std::optional<std::string> schema = arguments.get_text("schema_name");
  const bool populate = Arguments::required(arguments.get_bool("populate"), "populate");
  if (arguments.is_null("views") != schema.has_value())
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "a group has either views or schema_name",
                       "Give a list of materialized views, or a schema whose materialized views "
                       "are all meant.");
  const std::vector<GroupView> views =
      schema ? views_of_schema(*schema) : listed_views(arguments.datum("views"));
  // Only a schema can be empty: listed_views() rejects an empty list.
  if (views.empty()) require_rights_over_schema(*schema);
  const JobOwner owner = owner_of_new(arguments, group_refresher(views), false);
  check_priority(arguments, owner.role);
  const Options options = new_options(arguments);
  if (is_on_one_snapshot(arguments)) require_one_owner(views);
  if (!arguments.is_null("settings"))
    check_refresh_settings(read_settings(arguments.datum("settings")),
                           owners_of(views, owner.role));
  Subject subject;
  if (schema)
    subject.group_schema = *schema;
  else
    subject.members = names_of(views);
  const std::int64_t id = put_job(name, subject, owner, options.columns);
  // The request runs the whole group, not only the views that are not populated.
  if (populate && std::any_of(views.begin(), views.end(), is_unpopulated)) {
    const std::string role = current_role();
    extension::as_extension([&](pg::Spi& spi) { (void)store::insert_request(spi, id, role); });
    check_share_of_requests();
  }
  return Int64GetDatum(id);
}

void notice(const std::string& message) {
  const char* text = message.c_str();
  pg::call([text] { ereport(NOTICE, errmsg_internal("%s", text)); });
}

// Requests one run of a group of these views. The job is named after the calling function and
// deleted when the run ends. Returns the run's number.
std::int64_t request_once(const std::string& purpose, const std::vector<GroupView>& views) {
  const Oid owner = group_refresher(views);
  const std::string role = current_role();
  // Made before the insert: check() raises an error only if the share has grown.
  const JobShare share(owner);
  std::optional<std::int64_t> run_id;
  extension::as_extension([&](pg::Spi& spi) {
    const std::int64_t id = store::insert_one_time_job(spi, purpose, owner, {});
    store::replace_members(spi, id, names_of(views));
    run_id = store::insert_request(spi, id, role);
  });
  share.check();
  check_share_of_requests();
  return run_id.value();
}

Datum request_or_notice(FunctionCallInfo call, const std::string& purpose,
                        const std::vector<GroupView>& views, const std::string& reason) {
  if (!views.empty()) return Int64GetDatum(request_once(purpose, views));
  notice(reason);
  call->isnull = true;
  return 0;
}

Datum refresh_all_views(FunctionCallInfo call) {
  shmem::require_preloaded();
  const std::string schema = Arguments::required(Arguments(call).get_text(0), "schema_name");
  return request_or_notice(call, "refresh_all_views " + schema, views_of_schema(schema),
                           "schema \"" + schema + "\" holds no materialized view");
}

Datum populate_views(FunctionCallInfo call) {
  shmem::require_preloaded();
  const std::string schema = Arguments::required(Arguments(call).get_text(0), "schema_name");
  std::vector<GroupView> views;
  const std::vector<GroupView> all = views_of_schema(schema);
  std::copy_if(all.begin(), all.end(), std::back_inserter(views), is_unpopulated);
  return request_or_notice(
      call, "populate_views " + schema, views,
      "schema \"" + schema + "\" holds no materialized view that has never been populated");
}

Datum refresh_dependents(FunctionCallInfo call) {
  shmem::require_preloaded();
  const Oid relation = Arguments::required(Arguments(call).get_oid(0), "base_table");
  const std::vector<GroupView> views = dependents_of(relation);
  const char* name = pg::call([relation]() -> const char* {
    const char* table = get_rel_name(relation);
    const char* schema = get_namespace_name(get_rel_namespace(relation));
    // The relation was dropped a moment ago.
    if (table == nullptr || schema == nullptr)
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE),
              errmsg("relation with OID %u does not exist", relation));
    return quote_qualified_identifier(schema, table);
  });
  return request_or_notice(call, std::string("refresh_dependents ") + name, views,
                           std::string("no materialized view reads ") + name);
}

}  // namespace

MR_SQL_FUNCTION(mr_schedule_group, schedule_group);
MR_SQL_FUNCTION(mr_refresh_all_views, refresh_all_views);
MR_SQL_FUNCTION(mr_refresh_dependents, refresh_dependents);
MR_SQL_FUNCTION(mr_populate_views, populate_views);

}  // namespace metrics_refresh::api
