// health_check(). It collects facts with the rights of the caller, so that row-level security
// applies, and passes them to core::check_health(), which decides.
//
// There are three kinds of facts: about the server, about each job, and about each view of a job.
// Nothing here waits for locks, because a health check is often run when something is stuck.
#include "core/health/health.hpp"

#include "api/monitoring/view_facts.hpp"

#include <algorithm>

#include "api/arguments.hpp"
#include "api/monitoring/queue_facts.hpp"
#include "api/monitoring/unseen_changes.hpp"
#include "api/schedule_text.hpp"
#include "engine/view/unique_key.hpp"
#include "engine/view/view.hpp"
#include "extension/background_workers.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "extension/settings.hpp"
#include "pg/identity.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "shmem/change_counters.hpp"
#include "shmem/shmem.hpp"
#include "store/groups.hpp"
#include "store/incremental.hpp"
#include "store/shares.hpp"
#include "store/timetable.hpp"
#include "store/view_states.hpp"

namespace metrics_refresh::api {
namespace {

// Ordered by job name. Errors from before the job was rescheduled or resumed do not count.
constexpr char kSelectFacts[] =
    "SELECT j.job_id, s.suspend_reason, s.last_success_at, s.last_error,"
    " l.finished, l.successful, l.mean,"
    " CASE WHEN s.last_status = 'error' AND s.last_finished_at >= j.effective_from"
    "  THEN (SELECT r.attempt::int8 FROM metrics_refresh.run_log r WHERE r.run_id = s.last_run_id)"
    "  END AS failed_attempts"
    " FROM metrics_refresh.job j LEFT JOIN metrics_refresh.job_state s USING (job_id)"
    " CROSS JOIN LATERAL (SELECT count(*) AS finished,"
    "  count(*) FILTER (WHERE r.status = 'success') AS successful,"
    "  avg(r.duration_ms) FILTER (WHERE r.status = 'success') AS mean"
    "  FROM metrics_refresh.run_log r WHERE r.job_id = j.job_id"
    "  AND r.status NOT IN ('running', 'skipped')"
    "  AND r.started_at >= now() - make_interval(hours => $1::int)) l"
    " WHERE j.active AND NOT j.one_time ORDER BY j.job_name, j.job_id";

core::HealthLimits limits() {
  return {settings::health_window_hours(),          settings::health_success_rate_warning(),
          settings::health_success_rate_critical(), settings::health_duration_warning(),
          settings::health_stale_warning(),         settings::health_stale_critical()};
}

// Adds the name of the view, and the owner of another view that has the given name.
void add_names(core::ViewFacts& facts, const store::BoundView& bound, const engine::View& view) {
  facts.name = view.schema + "." + view.name;
  const auto [schema, name] = store::given_name_after(bound, view.schema, view.name);
  if (!name.empty()) facts.given_name = schema + "." + name;
  // After a rename, a new view may have been created with the old name. The user may have expected
  // the job to refresh that one.
  const Oid namesake = engine::namesake(bound, view.oid);
  if (OidIsValid(namesake)) facts.namesake_owner = pg::role_name(engine::relation_owner(namesake));
}

core::ViewFacts view_facts(pg::Spi& spi, const store::BoundView& bound, Oid oid,
                           const store::JobRecord& job, const UnseenChanges& unseen) {
  core::ViewFacts facts;
  facts.name = bound.view_schema + "." + bound.view_name;
  facts.exists = OidIsValid(oid);
  facts.never_seen = job.is_default && !OidIsValid(bound.view_oid);
  if (!facts.exists) return facts;
  // Nothing is reported about the state of a view that is locked exclusively, because the check
  // does not wait.
  const engine::View view = engine::read_view(oid);
  if (const auto found = unseen.find(oid); found != unseen.end()) facts.reason = found->second;
  add_names(facts, bound, view);
  const std::optional<engine::ViewState> state = engine::try_read_state(view);
  facts.populated = !state || state->populated;
  facts.wants_unique_index = state && state->unique_index.empty() &&
                             store::has_trait(job.strategy, store::kNeedsUniqueIndex);
  if (const auto incremental = store::find_incremental(spi, oid, store::Reads::kViews))
    facts.demoted = incremental->demoted;
  facts.not_skipped = store::find_alarm(spi, oid, store::Reads::kViews);
  if (facts.wants_unique_index) facts.index_to_create = engine::propose_unique_index(view);
  return facts;
}

int due_since(const store::JobRecord& job, const std::optional<core::Timetable>& timetable,
              const std::optional<core::Instant>& last_success, core::Instant now) {
  return due_times_since(timetable,
                         std::max(job.effective_from, last_success.value_or(core::Instant::min())),
                         now, settings::health_stale_critical());
}

// The views of a job. For a group, the log is evaluated for each view.
std::vector<core::ViewFacts> views_of(pg::Spi& spi, const store::JobRecord& job,
                                      const std::optional<core::Timetable>& timetable,
                                      const std::optional<core::Instant>& found_fresh,
                                      core::Instant now, const UnseenChanges& unseen) {
  std::vector<core::ViewFacts> views;
  if (job.is_refresh())
    views.push_back(view_facts(spi, job, engine::resolve_view(job), job, unseen));
  if (!job.is_group()) return views;
  std::vector<Oid> oids;
  for (const store::Member& member : store::members_of_group(spi, job, store::Reads::kViews)) {
    oids.push_back(engine::resolve_view(member));
    views.push_back(view_facts(spi, member, oids.back(), job, unseen));
  }
  const std::map<Oid, LoggedView> logged = logged_views(spi, oids);
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto found = logged.find(oids[i]);
    if (found == logged.end()) continue;
    // A view that was found fresh was not refreshed, but it is as good as a new one.
    views[i].last_success = std::max(found->second.last_success, found_fresh);
    views[i].rows = found->second.rows;
    views[i].last_error = found->second.last_error;
    views[i].due_since_success = due_since(job, timetable, views[i].last_success, now);
  }
  return views;
}

core::JobFacts read_facts(const pg::Rows& rows, std::size_t i, const store::JobRecord& job,
                          bool is_only) {
  core::JobFacts facts;
  // Names are unique for each owner only. The number identifies the job in hints.
  facts.name = is_only ? job.name : job.name + " of " + job.owner;
  facts.argument = is_only ? job.name : std::to_string(job.id);
  facts.is_group = job.is_group();
  facts.is_incremental = store::has_trait(job.strategy, store::kSetUpByJob);
  facts.owner = job.owner;
  facts.owner_exists = !pg::role_name(job.owner_oid).empty();
  // Only a command needs a login of its owner. The launch of its session would fail.
  if (facts.owner_exists && job.is_command())
    if (const auto reason = extension::reason_against_login(job.owner_oid))
      facts.login_reason = reason->what();
  if (job.suspended) facts.suspended = rows.get_text_or_empty(i, "suspend_reason");
  facts.last_success = rows.get_instant_or_null(i, "last_success_at");
  facts.last_error = rows.get_text_or_empty(i, "last_error");
  facts.finished_runs = rows.get_int64(i, "finished");
  facts.successful_runs = rows.get_int64(i, "successful");
  if (!rows.is_null(i, "mean")) facts.mean_duration_ms = rows.get_float8(i, "mean");
  if (!rows.is_null(i, "failed_attempts"))
    facts.failed_attempts = static_cast<int>(rows.get_int64(i, "failed_attempts"));
  facts.max_retries = job.retry_policy.max_retries;
  return facts;
}

std::vector<core::JobFacts> job_facts(pg::Spi& spi, core::Instant now) {
  std::map<std::int64_t, store::JobRecord> records;
  std::map<std::string, int> namesakes;
  for (store::JobRecord& job : store::load_jobs(spi, store::Reads::kViews)) {
    ++namesakes[job.name];
    records[job.id] = std::move(job);
  }
  std::vector<core::JobFacts> facts;
  std::vector<const store::JobRecord*> jobs;
  const pg::Rows rows =
      spi.query(kSelectFacts, {static_cast<std::int64_t>(settings::health_window_hours())});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto record = records.find(rows.get_int64(i, "job_id"));
    // The job was made a moment ago.
    if (record == records.end()) continue;
    jobs.push_back(&record->second);
    facts.push_back(read_facts(rows, i, record->second, namesakes[record->second.name] == 1));
  }
  const std::map<std::int64_t, core::Instant> fresh = found_fresh();
  // Once for all jobs: both lookups take time proportional to the number of tables.
  const UnseenChanges unseen = unseen_changes(spi);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::optional<core::Timetable> timetable = store::timetable_of(*jobs[i]);
    const std::optional<core::Instant> fresh_at = find_time(fresh, jobs[i]->id);
    facts[i].fresh_since_last_run = jobs[i]->last_succeeded && fresh_at > facts[i].last_success;
    facts[i].last_success = std::max(facts[i].last_success, fresh_at);
    facts[i].never_due = timetable && is_never_due(*timetable, now);
    facts[i].due_since_success = due_since(*jobs[i], timetable, facts[i].last_success, now);
    facts[i].views = views_of(spi, *jobs[i], timetable, fresh_at, now, unseen);
  }
  return facts;
}

// Superusers have no limits.
std::vector<Oid> limited_roles(pg::Spi& spi, const char* sql) {
  std::vector<Oid> roles;
  const pg::Rows rows = spi.query(sql);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Oid role = rows.get_oid(i, "role");
    if (!pg::is_superuser(role)) roles.push_back(role);
  }
  return roles;
}

// The array is allocated before the call, because no C++ object may be constructed inside it.
std::map<Oid, int> tracked_tables() {
  std::vector<Oid> roles(static_cast<std::size_t>(settings::max_tracked_tables()));
  Oid* const found = roles.data();
  roles.resize(static_cast<std::size_t>(pg::call([=] { return shmem::roles_of_tracked(found); })));
  std::map<Oid, int> tables;
  for (const Oid role : roles) ++tables[role];
  return tables;
}

// No view shows this table.
std::map<Oid, std::int64_t> leftovers() {
  std::map<Oid, std::int64_t> counts;
  extension::as_extension_without_lock(
      [&counts](pg::Spi& spi) { counts = store::leftovers_by_owner(spi); });
  return counts;
}

// The shares of roles whose rights the caller has. A super admin sees all roles.
std::vector<core::ShareFacts> share_facts(pg::Spi& spi, bool super_admin) {
  std::vector<core::ShareFacts> shares;
  const auto add = [&](Oid role, const char* what, std::int64_t used, std::int64_t limit,
                       const char* setting) {
    if (super_admin || pg::has_rights_of(role))
      shares.push_back({pg::role_name(role), what, used, limit, setting});
  };
  const std::vector<Oid> owners = limited_roles(
      spi, "SELECT DISTINCT owner_oid AS role FROM metrics_refresh.job ORDER BY role");
  for (const Oid owner : owners) {
    const store::Share share = store::share_of_jobs(owner);
    add(owner, "jobs", share.jobs, settings::max_jobs_per_role(),
        "metrics_refresh.max_jobs_per_role");
    add(owner, "kB for its jobs", share.bytes / 1024, settings::max_job_bytes_per_role() / 1024,
        "metrics_refresh.max_job_bytes_per_role");
  }
  for (const auto& [role, count] : leftovers())
    if (!pg::role_name(role).empty() && !pg::is_superuser(role))
      add(role, "incremental views to be removed", count, settings::max_jobs_per_role(),
          "metrics_refresh.max_jobs_per_role");
  const char* const requesters =
      "SELECT DISTINCT requested_by_oid AS role FROM metrics_refresh.run_request ORDER BY role";
  for (const Oid role : limited_roles(spi, requesters))
    add(role, "requests", store::count_requests(role), settings::max_requests_per_role(),
        "metrics_refresh.max_requests_per_role");
  for (const Oid owner : owners)
    add(owner, "views in group runs", store::count_open_members(spi, owner, store::Reads::kViews),
        settings::max_group_views_per_role(), "metrics_refresh.max_group_views_per_role");
  if (!shmem::is_preloaded()) return shares;
  for (const auto& [role, tracked] : tracked_tables())
    if (!pg::role_name(role).empty() && !pg::is_superuser(role))
      add(role, "tracked tables", tracked, settings::max_tracked_tables_per_role(),
          "metrics_refresh.max_tracked_tables_per_role");
  // A role may use all its workers. It is only reported if runs are waiting.
  if (shmem::database_status(MyDatabaseId).waiting == 0) return shares;
  const std::map<Oid, int> runs = shmem::runs_by_owner();
  for (const Oid owner : owners)
    if (const auto found = runs.find(owner); found != runs.end())
      add(owner, "workers", found->second, settings::role_workers(),
          "metrics_refresh.max_workers_per_role");
  return shares;
}

core::ProcessFacts process_facts() {
  const extension::BackgroundWorkers now = extension::background_workers();
  return {now.limit, std::max(1, shmem::known_databases()), settings::max_workers(), now.others,
          now.parallel};
}

core::ServerFacts server_facts(pg::Spi& spi) {
  core::ServerFacts facts;
  facts.log_retention = settings::log_retention();
  facts.admin_reason = extension::reason_against_admin_settings();
  // For other roles, row-level security would be checked on every row of the log.
  const bool super_admin = extension::is_super_admin();
  facts.shares = share_facts(spi, super_admin);
  facts.queue = queue_facts(spi, super_admin);
  if (super_admin)
    facts.oldest_log_row =
        spi.query("SELECT min(started_at) AS oldest FROM metrics_refresh.run_log")
            .get_instant_or_null(0, "oldest");
  facts.preloaded = shmem::is_preloaded();
  // The remaining facts are in shared memory.
  if (!facts.preloaded) return facts;
  const shmem::DatabaseStatus status = shmem::database_status(MyDatabaseId);
  facts.enabled = settings::enabled();
  facts.in_recovery = pg::call([] { return RecoveryInProgress(); });
  facts.launcher_running = shmem::launcher_running();
  facts.scheduler_running = status.scheduler_running;
  facts.waiting_runs = status.waiting;
  if (status.waiting > 0) facts.waiting_since = pg::to_instant(status.waiting_since);
  // A standby runs no schedulers or workers.
  if (!facts.in_recovery) facts.processes = process_facts();
  if (status.next_due != shmem::kNever) facts.next_due = pg::to_instant(status.next_due);
  return facts;
}

Datum health_check(FunctionCallInfo call) {
  SetResult result(call);
  const core::Instant now = pg::now();
  core::ServerFacts server;
  std::vector<core::JobFacts> jobs;
  // pg::in_discarded_subtransaction() rolls everything back at the end, including locks.
  pg::in_discarded_subtransaction([&] {
    pg::with_own_sql([&] {
      pg::Spi spi;
      server = server_facts(spi);
      jobs = job_facts(spi, now);
    });
  });
  for (const core::Finding& finding : core::check_health(now, server, jobs, limits()))
    result.add({finding.check, core::to_string(finding.severity), finding.detail,
                pg::Param::text_or_null(finding.hint)});
  return 0;
}

}  // namespace

MR_SQL_FUNCTION(mr_health_check, health_check);

}  // namespace metrics_refresh::api
