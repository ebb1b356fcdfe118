#include "core/health/health.hpp"

#include <algorithm>

#include "core/health/health_check.hpp"

namespace metrics_refresh::core {
namespace {

// A due time that passed this long ago should have been served.
constexpr Duration kOverdue = std::chrono::seconds(30);
// The clean-up job runs once a day.
constexpr Duration kCleanupDelay = std::chrono::hours(36);

std::string waiting(Instant now, const ServerFacts& server) {
  std::string text = server.waiting_runs == 1 ? std::string("1 run waits")
                                              : std::to_string(server.waiting_runs) + " runs wait";
  text += " because every worker is busy";
  if (server.waiting_since && now - *server.waiting_since >= kOverdue)
    text += ", the first of them for " + span(now - *server.waiting_since);
  return text;
}

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
  if (server.waiting_runs > 0)
    scheduler.add(Severity::kWarning, waiting(now, server),
                  "Raise metrics_refresh.max_workers, and max_worker_processes with it.");
  scheduler.close();
}

std::string counted(int count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// Launcher, schedulers, workers and what else has processes come out of one limit, and who comes
// first has them.
void check_processes(std::vector<Finding>& findings, const ProcessFacts& facts) {
  const int ours = 1 + facts.databases + facts.max_workers;
  const int wanted = ours + facts.others;
  const int least = 3 + facts.others;
  const std::string limit = "max_worker_processes is " + std::to_string(facts.limit);
  const std::string sum = "1 for the launcher, " +
                          counted(facts.databases, "scheduler", "schedulers") +
                          " (one a database), " + counted(facts.max_workers, "worker", "workers") +
                          " (metrics_refresh.max_workers) and " + std::to_string(facts.others) +
                          " that other parts of the server have now";
  Check check(findings, "processes",
              facts.limit == 0 ? "no process of a job's runs here"
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

// From nine tenths on.
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

}  // namespace

std::string span(Duration d) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

std::string literal(const std::string& value) {
  std::string text = "'";
  for (const char c : value) text.append(c == '\'' ? 2 : 1, c);
  return text + "'";
}

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
  check_shares(findings, server.shares);
  check_processes(findings, server.processes);
  return findings;
}

Severity worst(const std::vector<Finding>& findings) {
  Severity result = Severity::kOk;
  for (const Finding& finding : findings) result = std::max(result, finding.severity);
  return result;
}

}  // namespace metrics_refresh::core
