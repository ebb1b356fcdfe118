#include "core/health.hpp"

#include <algorithm>
#include <cstdio>

namespace metrics_refresh::core {
namespace {

// A due time that passed this long ago should have been served.
constexpr Duration kOverdue = std::chrono::seconds(30);
// The clean-up job runs once a day.
constexpr Duration kCleanupDelay = std::chrono::hours(36);

std::string number(double value, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f%s", value, unit);
  return text;
}

std::string span(Duration d) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

// A value as SQL writes it, for hints that are meant to be copied.
std::string literal(const std::string& value) {
  std::string text = "'";
  for (const char c : value) text.append(c == '\'' ? 2 : 1, c);
  return text + "'";
}

// The findings of one check; where it added none, `fine` becomes its `ok`.
class Check {
 public:
  Check(std::vector<Finding>& findings, const char* name, std::string fine)
      : findings_(findings), name_(name), fine_(std::move(fine)), before_(findings.size()) {}
  ~Check() = default;
  void add(Severity severity, std::string detail, std::string hint) {
    findings_.push_back({name_, severity, std::move(detail), std::move(hint)});
  }
  void close() {
    if (findings_.size() == before_) add(Severity::kOk, fine_, "");
  }

 private:
  std::vector<Finding>& findings_;
  const char* name_;
  std::string fine_;
  std::size_t before_;
};

void check_server(std::vector<Finding>& findings, Instant now, const ServerFacts& server) {
  Check preload(findings, "preload", "metrics_refresh is preloaded");
  if (!server.preloaded)
    preload.add(Severity::kCritical, "metrics_refresh is not in shared_preload_libraries",
                "Add it in postgresql.conf and restart the server; until then nothing is "
                "refreshed.");
  preload.close();

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
    scheduler.add(Severity::kCritical, "no scheduler runs where metrics_refresh is not preloaded",
                  "It starts with the first due time once metrics_refresh is preloaded.");
  else if (!server.enabled)
    scheduler.add(Severity::kWarning, "metrics_refresh.enabled is off: no run starts",
                  "Set it to on and reload the configuration.");
  else if (server.next_due && now - *server.next_due > kOverdue)
    scheduler.add(
        Severity::kCritical,
        "a due time passed " + span(now - *server.next_due) + " ago and no scheduler has served it",
        "See the server log; is max_worker_processes large enough?");
  if (server.runs_wait_for_worker)
    scheduler.add(Severity::kWarning, "runs wait because every worker is busy",
                  "Raise metrics_refresh.max_workers, and max_worker_processes with it.");
  scheduler.close();
}

void check_suspended(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "suspended", "no job is suspended");
  for (const JobFacts& job : jobs)
    if (job.suspended)
      check.add(Severity::kCritical, "job " + job.name + " is suspended: " + *job.suspended,
                "Mend the cause, then call metrics_refresh.resume(" + literal(job.name) + ").");
  check.close();
}

void check_objects(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check views(findings, "view_missing", "every job's view exists");
  for (const JobFacts& job : jobs)
    if (!job.view_exists)
      views.add(Severity::kWarning,
                "job " + job.name + " waits for the materialized view " + job.view +
                    ", which does not exist",
                "Create the view, or remove the job with metrics_refresh.unschedule(" +
                    literal(job.name) + ").");
  views.close();

  Check indexes(findings, "unique_index", "every view can be refreshed without blocking readers");
  for (const JobFacts& job : jobs)
    if (job.view_exists && job.wants_unique_index)
      indexes.add(Severity::kWarning,
                  job.view + " has no usable unique index, so each refresh blocks its readers",
                  job.index_to_create.empty()
                      ? "Create a unique index on plain columns of the view, without a WHERE "
                        "clause."
                      : "Run: " + job.index_to_create);
  indexes.close();

  Check owners(findings, "owner", "every job's owner exists");
  for (const JobFacts& job : jobs)
    if (!job.owner_exists)
      owners.add(Severity::kCritical,
                 "job " + job.name + " belongs to the role " + job.owner + ", which does not exist",
                 "A super admin can give it to another role: metrics_refresh.alter_job(" +
                     literal(job.name) + ", owner => ...).");
  owners.close();
}

void check_runs(std::vector<Finding>& findings, Instant now, const std::vector<JobFacts>& jobs,
                const HealthLimits& limits) {
  const std::string window = " in the last " + std::to_string(limits.window_hours) + " h";
  Check rates(findings, "success_rate", "runs succeed as often as they should");
  for (const JobFacts& job : jobs) {
    if (job.finished_runs == 0) continue;
    const double rate =
        100.0 * static_cast<double>(job.successful_runs) / static_cast<double>(job.finished_runs);
    const bool critical = rate < limits.success_rate_critical;
    if (!critical && rate >= limits.success_rate_warning) continue;
    rates.add(critical ? Severity::kCritical : Severity::kWarning,
              "job " + job.name + ": " + number(rate, " %") + " of " +
                  std::to_string(job.finished_runs) + " runs succeeded" + window,
              job.last_error.empty() ? "See metrics_refresh.run_log."
                                     : "The last error was: " + job.last_error);
  }
  rates.close();

  Check durations(findings, "duration", "runs are as short as they should be");
  const double longest = std::chrono::duration<double, std::milli>(limits.duration_warning).count();
  for (const JobFacts& job : jobs)
    if (job.mean_duration_ms && *job.mean_duration_ms > longest)
      durations.add(Severity::kWarning,
                    "job " + job.name + ": a run takes " +
                        number(*job.mean_duration_ms / 1000.0, " s") + " at the mean" + window,
                    "See metrics_refresh.explain_refresh, or raise "
                    "metrics_refresh.health_duration_warning.");
  durations.close();

  Check freshness(findings, "freshness", "every job succeeded when it was last due");
  for (const JobFacts& job : jobs) {
    // A view that does not exist and a suspended job have a finding of their own.
    if (!job.view_exists || job.suspended) continue;
    const bool critical = job.due_since_success >= limits.stale_critical;
    if (!critical && job.due_since_success < limits.stale_warning) continue;
    freshness.add(
        critical ? Severity::kCritical : Severity::kWarning,
        "job " + job.name +
            (job.last_success ? " last succeeded " + span(now - *job.last_success) + " ago"
                              : std::string(" has never succeeded")) +
            "; it was due " + std::to_string(job.due_since_success) +
            (critical ? " times or more since" : " times since"),
        job.last_error.empty() ? "See metrics_refresh.job_status and run_log."
                               : "The last error was: " + job.last_error);
  }
  freshness.close();
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
  check_suspended(findings, jobs);
  check_objects(findings, jobs);
  check_runs(findings, now, jobs, limits);

  Check log(findings, "log_retention", "the log is kept within its retention");
  if (server.oldest_log_row && now - *server.oldest_log_row > server.log_retention + kCleanupDelay)
    log.add(Severity::kWarning,
            "the log goes back " + span(now - *server.oldest_log_row) +
                ", beyond its retention of " + span(server.log_retention),
            "Is the job cleanup-metrics-logs active? It calls cleanup_old_metrics_logs().");
  log.close();

  Check admin(findings, "admin_settings", "the admin settings can work");
  if (!server.admin_problem.empty())
    admin.add(Severity::kWarning, server.admin_problem, "Correct the setting.");
  admin.close();
  return findings;
}

Severity worst(const std::vector<Finding>& findings) {
  Severity result = Severity::kOk;
  for (const Finding& finding : findings) result = std::max(result, finding.severity);
  return result;
}

}  // namespace metrics_refresh::core
