#include "core/health/health.hpp"

#include <algorithm>
#include <cstdio>

#include "core/text.hpp"

namespace metrics_refresh::core {
namespace {

// Each check_...() function is one check of docs/operations.md. It opens a Check, adds a finding
// for each problem, and closes it; a check without a problem gives one finding with severity ok. So
// the result always has a row for each check, and a monitoring system can rely on it.
//
// A condition that another check already reports is skipped: a missing view is neither stale nor
// unpopulated, and a suspended job is not late.

// The argument of a call that a hint proposes: the job's name, or its number if other jobs have the
// same name.
std::string argument(const JobFacts& job) { return job.argument.empty() ? job.name : job.argument; }

// If a due time passed this long ago, it should have been handled. Schedulers sleep for less than
// this.
constexpr Duration kOverdue = std::chrono::seconds(30);
// The clean-up job runs once a day; half a day more allows for a late run.
constexpr Duration kCleanupDelay = std::chrono::hours(36);

std::string waiting(Instant now, const ServerFacts& server) {
  std::string text = server.waiting_runs == 1 ? std::string("1 run waits")
                                              : std::to_string(server.waiting_runs) + " runs wait";
  text += " because every worker is busy";
  if (server.waiting_since && now - *server.waiting_since >= kOverdue)
    text += ", the first of them for " + span(now - *server.waiting_since);
  return text;
}

// The launcher starts the schedulers, and a scheduler starts the workers. Each has a check of its
// own, so that the first one that fails shows the cause.
void check_server(std::vector<Finding>& findings, Instant now, const ServerFacts& server) {
  Check preload(findings, "preload", "metrics_refresh is preloaded");
  if (!server.preloaded)
    preload.add(Severity::kCritical, "metrics_refresh is not in shared_preload_libraries",
                "Add it in postgresql.conf and restart the server; until then nothing is "
                "refreshed.");
  preload.close();

  // On a standby no process of ours runs, which is not an error.
  const bool standby = server.preloaded && server.in_recovery;
  Check launcher(findings, "launcher",
                 standby ? "this server is a standby: it starts with the promotion"
                         : "the launcher is running");
  if (!server.launcher_running && !standby)
    launcher.add(Severity::kCritical, "the launcher is not running",
                 server.preloaded ? "See the server log; is max_worker_processes large enough?"
                                  : "It starts with the server once metrics_refresh is preloaded.");
  launcher.close();

  Check scheduler(findings, "scheduler",
                  standby                    ? "this server is a standby: nothing runs here"
                  : server.scheduler_running ? "the scheduler of this database is running"
                                             : "asleep until the next due time");
  if (!server.preloaded)
    scheduler.add(Severity::kCritical, "no scheduler runs because metrics_refresh is not preloaded",
                  "It starts with the first due time once metrics_refresh is preloaded.");
  else if (!server.enabled)
    scheduler.add(Severity::kWarning, "metrics_refresh.enabled is off: no run starts",
                  "Set it to on and reload the configuration.");
  else if (server.next_due && now - *server.next_due > kOverdue)
    scheduler.add(
        Severity::kCritical,
        "a due time passed " + span(now - *server.next_due) + " ago and no scheduler has served it",
        "See the server log; is max_worker_processes large enough?");
  if (server.waiting_runs > 0)
    scheduler.add(Severity::kWarning, waiting(now, server),
                  "Raise metrics_refresh.max_workers, and max_worker_processes with it.");
  scheduler.close();
}

std::string counted(int count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// The launcher, schedulers, workers and other parts of the server share one limit,
// max_worker_processes. There is no reservation, so a process that is started earlier gets its
// slot.
void check_processes(std::vector<Finding>& findings, const ProcessFacts& facts) {
  const int ours = 1 + facts.databases + facts.max_workers;
  const int wanted = ours + facts.others;
  // A run needs at least the launcher, a scheduler and a worker.
  const int least = 3 + facts.others;
  const std::string limit = "max_worker_processes is " + std::to_string(facts.limit);
  const std::string sum = "1 for the launcher, " +
                          counted(facts.databases, "scheduler", "schedulers") +
                          " (one a database), " + counted(facts.max_workers, "worker", "workers") +
                          " (metrics_refresh.max_workers) and " + std::to_string(facts.others) +
                          " that other parts of the server have now";
  Check check(findings, "processes",
              facts.limit == 0 ? "no background process runs here"
                               : limit + ", enough for " + std::to_string(wanted) + ": " + sum);
  if (facts.limit == 0) return check.close();
  if (facts.limit < wanted) {
    const bool none = facts.limit < least;
    check.add(none ? Severity::kCritical : Severity::kWarning,
              limit + ", " + std::to_string(wanted - facts.limit) + " too few" +
                  (none ? ", and no run can start" : "") + ": wanted are " + sum,
              "Set max_worker_processes to " + std::to_string(wanted) +
                  " or more, and to max_parallel_workers more if parallel queries are run; restart "
                  "the server.");
  } else if (const int left = facts.limit - facts.others - facts.parallel; left < ours) {
    check.add(Severity::kWarning,
              "parallel queries have " + std::to_string(facts.parallel) + " of " +
                  std::to_string(facts.limit) + " background processes now (" + limit + "), and " +
                  std::to_string(ours - left) +
                  " of those that metrics_refresh may want are not left",
              "Lower max_parallel_workers to " + std::to_string(facts.limit - wanted) +
                  ", or raise max_worker_processes by " + std::to_string(ours - left) +
                  " or more. Wanted are " + sum + ".");
  }
  check.close();
}

// Warns at nine tenths of a limit, so that there is time to raise it.
void check_shares(std::vector<Finding>& findings, const std::vector<ShareFacts>& shares) {
  Check check(findings, "shares", "no role is near the limit of its share");
  for (const ShareFacts& share : shares)
    if (static_cast<double>(share.used) >= 0.9 * static_cast<double>(share.limit))
      check.add(
          Severity::kWarning,
          "role " + share.role + " has " + std::to_string(share.used) + " of " +
              std::to_string(share.limit) + " " + share.what,
          "At the limit more are refused, or wait: remove some, or raise " + share.setting + ".");
  check.close();
}

// Not an error, but users want to know why a view is refreshed at each due time.
void check_changes(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "changes", "changes of all tables that views read are counted");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views) {
      if (!view.exists || view.reason.empty()) continue;
      if (job.is_incremental)
        check.add(
            Severity::kWarning,
            view.name +
                " is refreshed as a whole, although its strategy is incremental: " + view.reason,
            "Call metrics_refresh.alter_job(" + literal(argument(job)) + ", strategy => 'auto').");
      else
        check.add(Severity::kOk,
                  view.name + " is refreshed at every due time, changed or not: " + view.reason,
                  "");
    }
  check.close();
}

void check_audits(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "audit", "audits found no incorrect rows");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (!view.demoted.empty())
        check.add(
            Severity::kCritical,
            view.name + " is not refreshed incrementally any more: " + view.demoted,
            "Find out which change of its tables bypassed the triggers, or report it; then call "
            "metrics_refresh.alter_job(" +
                literal(argument(job)) + ", strategy => 'incremental').");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (!view.not_skipped.empty())
        check.add(Severity::kCritical, view.name + " is not skipped any more: " + view.not_skipped,
                  "Find out which of its functions depends on more than its arguments, and declare "
                  "it STABLE or VOLATILE; then call metrics_refresh.alter_job(" +
                      literal(argument(job)) + ", strategy => 'auto').");
  check.close();
}

std::string number(double value, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f%s", value, unit);
  return text;
}

// Returns the last error as a hint, or the place to look at.
std::string last_error_or(const std::string& last_error, const char* where) {
  return last_error.empty() ? where : "The last error was: " + last_error;
}

std::string times(int due, const HealthLimits& limits) {
  // The count stops at the critical limit, so the real number may be higher.
  return "it was due " + std::to_string(due) +
         (due >= limits.stale_critical ? " times or more since" : " times since");
}

std::string rows(const std::optional<std::int64_t>& count) {
  if (!count) return "";
  return " (" + std::to_string(*count) + (*count == 1 ? " row)" : " rows)");
}

bool lacks_its_view(const JobFacts& job) {
  return !job.is_group && !job.views.empty() && !job.views.front().exists;
}

void check_suspended(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "suspended", "no job is suspended");
  for (const JobFacts& job : jobs)
    if (job.suspended)
      check.add(Severity::kCritical,
                "job " + job.name + " is suspended" +
                    (job.suspended->empty() ? "" : ": " + *job.suspended),
                "Fix the cause, then call metrics_refresh.resume(" + literal(argument(job)) + ").");
  check.close();
}

// A missing view is no error for a default job, which the extension installs on every server.
void check_existence(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "view_missing", "every job's view exists");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views) {
      if (view.exists) continue;
      if (job.is_group)
        check.add(Severity::kWarning,
                  "group " + job.name + " lists the materialized view " + view.name +
                      ", which does not exist",
                  "Create the view, or call metrics_refresh.schedule_group() again without it.");
      else if (view.never_seen)
        check.add(Severity::kOk,
                  "job " + job.name +
                      " comes with the extension and waits for the materialized view " + view.name +
                      ", which has never existed",
                  "Create the view if you want one, or remove the job with "
                  "metrics_refresh.unschedule(" +
                      literal(argument(job)) + ").");
      else
        check.add(Severity::kWarning,
                  "job " + job.name + " waits for the materialized view " + view.name +
                      ", which does not exist",
                  "Create the view, or remove the job with metrics_refresh.unschedule(" +
                      literal(argument(job)) + ").");
    }
  check.close();
}

void check_members(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "group_members", "every group has views");
  for (const JobFacts& job : jobs)
    if (job.is_group && job.views.empty())
      check.add(Severity::kWarning, "group " + job.name + " has no materialized views",
                "Create them in its schema, or call metrics_refresh.schedule_group() again with "
                "its views.");
  check.close();
}

// A job follows its view when the view is renamed, and functions still accept the old name for it.
// That is only a problem if another view has the old name: then the user may mean that one.
void check_names(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "view_renamed", "every job's view has the name that the job was given");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views) {
      const std::string subject = (job.is_group ? "group " : "job ") + job.name;
      const char* const hint =
          job.is_group
              ? "Call metrics_refresh.schedule_group() again with the views that are meant."
              : "Call metrics_refresh.schedule() again with this job_name and the view "
                "that is meant.";
      if (!view.namesake_owner.empty())
        check.add(Severity::kWarning,
                  subject + " refreshes " + view.name + ", and there is a materialized view " +
                      view.given_name + ", the name that it was given, which belongs to " +
                      view.namesake_owner,
                  hint);
      else if (view.exists && !view.given_name.empty())
        check.add(Severity::kOk,
                  subject + " refreshes " + view.name +
                      ", which was renamed: it was given the name " + view.given_name +
                      ", and returns to that name when a view has it again",
                  hint);
    }
  check.close();
}

// REFRESH ... CONCURRENTLY fails without a unique index, but the strategy diff needs none.
void check_indexes(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "unique_index", "every view has the unique index that its strategy needs");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (view.exists && view.wants_unique_index)
        check.add(Severity::kWarning,
                  view.name + " has no unique index that the strategy concurrently can use",
                  view.index_to_create.empty()
                      ? "Refresh it by the strategy diff instead."
                      : "Run: " + view.index_to_create + " Or refresh it by the strategy diff.");
  check.close();
}

void check_population(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "populated", "every job's view has been populated");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (view.exists && !view.populated)
        check.add(Severity::kWarning, view.name + " has never been populated, so it cannot be read",
                  "Call metrics_refresh.trigger(" + literal(argument(job)) + ").");
  check.close();
}

// The job stays if its owner is dropped, so that another role can take it over.
void check_owners(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "owner", "every job's owner exists");
  for (const JobFacts& job : jobs)
    if (!job.owner_exists)
      check.add(Severity::kCritical,
                "job " + job.name + " belongs to the role " + job.owner + ", which does not exist",
                "A super admin can give it to another role: metrics_refresh.alter_job(" +
                    literal(argument(job)) + ", owner => ...).");
    else if (!job.login_reason.empty())
      check.add(Severity::kCritical, "job " + job.name + " cannot run: " + job.login_reason,
                "A command runs connected as its owner: let the role log in, or give the job to "
                "another with metrics_refresh.alter_job(" +
                    literal(argument(job)) + ", owner => ...).");
  check.close();
}

// Blackout windows and schedules are changed independently, so a job can be left without due times.
void check_blackouts(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "blackout", "blackout windows leave every job due times");
  for (const JobFacts& job : jobs)
    if (job.never_due)
      check.add(Severity::kWarning,
                "job " + job.name + " is never due: its blackout windows cover its schedule",
                "Change one of them with metrics_refresh.alter_job(" + literal(argument(job)) +
                    ", ...).");
  check.close();
}

void check_success(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs,
                   const HealthLimits& limits) {
  Check check(findings, "success_rate", "success rates are within limits");
  for (const JobFacts& job : jobs) {
    // Due times at which nothing had changed have no run. If they follow the last run, too few runs
    // are left for a rate.
    if (job.finished_runs == 0 || job.fresh_since_last_run) continue;
    const double rate =
        100.0 * static_cast<double>(job.successful_runs) / static_cast<double>(job.finished_runs);
    const bool critical = rate < limits.success_rate_critical;
    if (!critical && rate >= limits.success_rate_warning) continue;
    check.add(critical ? Severity::kCritical : Severity::kWarning,
              "job " + job.name + ": " + number(rate, " %") + " of " +
                  std::to_string(job.finished_runs) + " runs succeeded in the last " +
                  std::to_string(limits.window_hours) + " h",
              last_error_or(job.last_error, "See metrics_refresh.run_log."));
  }
  check.close();
}

// Between the last retry and the next due time, nothing else shows that the job has failed.
void check_retries(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "retries", "no job has used up its retries");
  for (const JobFacts& job : jobs)
    if (job.max_retries > 0 && job.failed_attempts > job.max_retries && !job.suspended)
      check.add(Severity::kWarning,
                "job " + job.name + " failed " + std::to_string(job.failed_attempts) +
                    " times at its last due time: its retries are used up until the next",
                last_error_or(job.last_error, "See metrics_refresh.run_log."));
  check.close();
}

void check_durations(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs,
                     const HealthLimits& limits) {
  Check check(findings, "duration", "run durations are within limits");
  const double longest = std::chrono::duration<double, std::milli>(limits.duration_warning).count();
  for (const JobFacts& job : jobs)
    if (job.mean_duration_ms && *job.mean_duration_ms > longest)
      check.add(Severity::kWarning,
                "job " + job.name + ": a run takes " +
                    number(*job.mean_duration_ms / 1000.0, " s") + " on average in the last " +
                    std::to_string(limits.window_hours) + " h",
                "See metrics_refresh.explain_refresh, or raise "
                "metrics_refresh.health_duration_warning.");
  check.close();
}

std::optional<Severity> staleness(int due_since_success, const HealthLimits& limits) {
  if (due_since_success >= limits.stale_critical) return Severity::kCritical;
  if (due_since_success >= limits.stale_warning) return Severity::kWarning;
  return std::nullopt;
}

// A missing view and a suspended job are reported by other checks.
void check_freshness(std::vector<Finding>& findings, Instant now, const std::vector<JobFacts>& jobs,
                     const HealthLimits& limits) {
  Check check(findings, "freshness", "every job succeeded when it was last due");
  for (const JobFacts& job : jobs) {
    if (lacks_its_view(job) || job.suspended) continue;
    if (const auto severity = staleness(job.due_since_success, limits))
      check.add(*severity,
                (job.is_group ? "group " : "job ") + job.name +
                    (job.last_success ? " last succeeded " + span(now - *job.last_success) + " ago"
                                      : std::string(" has never succeeded")) +
                    "; " + times(job.due_since_success, limits),
                last_error_or(job.last_error, "See metrics_refresh.job_status and run_log."));
    if (!job.is_group) continue;
    for (const ViewFacts& view : job.views) {
      const auto severity = staleness(view.due_since_success, limits);
      if (!view.exists || !severity) continue;
      check.add(*severity,
                view.name + " of group " + job.name +
                    (view.last_success ? " was last refreshed " + span(now - *view.last_success) +
                                             " ago" + rows(view.rows)
                                       : std::string(" has never been refreshed")) +
                    "; " + times(view.due_since_success, limits),
                last_error_or(view.last_error, "See metrics_refresh.view_status() and run_log."));
    }
  }
  check.close();
}

void check_rows(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  check_changes(findings, jobs);
  check_audits(findings, jobs);
}

void check_jobs(std::vector<Finding>& findings, Instant now, const std::vector<JobFacts>& jobs,
                const HealthLimits& limits) {
  check_suspended(findings, jobs);
  check_existence(findings, jobs);
  check_members(findings, jobs);
  check_names(findings, jobs);
  check_indexes(findings, jobs);
  check_population(findings, jobs);
  check_rows(findings, jobs);
  check_owners(findings, jobs);
  check_blackouts(findings, jobs);
  check_success(findings, jobs, limits);
  check_retries(findings, jobs);
  check_durations(findings, jobs, limits);
  check_freshness(findings, now, jobs, limits);
}

}  // namespace

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kWarning:
      return "warning";
    case Severity::kCritical:
      return "critical";
  }
  return "critical";
}

std::vector<Finding> check_health(Instant now, const ServerFacts& server,
                                  const std::vector<JobFacts>& jobs, const HealthLimits& limits) {
  std::vector<Finding> findings;
  check_server(findings, now, server);
  check_jobs(findings, now, jobs, limits);

  // The log is shortened by a job, which a user can drop or pause.
  Check log(findings, "log_retention", "the log is kept within its retention");
  if (server.oldest_log_row && now - *server.oldest_log_row > server.log_retention + kCleanupDelay)
    log.add(Severity::kWarning,
            "the log goes back " + span(now - *server.oldest_log_row) +
                ", beyond its retention of " + span(server.log_retention),
            "Is the job cleanup-metrics-logs active? It calls cleanup_old_metrics_logs().");
  log.close();

  Check admin(findings, "admin_settings", "the admin settings are valid");
  if (!server.admin_reason.empty())
    admin.add(Severity::kWarning, server.admin_reason, "Correct the setting.");
  admin.close();
  check_shares(findings, server.shares);
  check_processes(findings, server.processes);
  check_queue(findings, now, server.queue, server.enabled && !server.in_recovery);
  return findings;
}

Severity worst(const std::vector<Finding>& findings) {
  Severity result = Severity::kOk;
  for (const Finding& finding : findings) result = std::max(result, finding.severity);
  return result;
}

}  // namespace metrics_refresh::core
