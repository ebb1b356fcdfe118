// Turns facts into findings: the problem, its severity, and the action to take. It gathers no
// facts.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/health/queue_health.hpp"
#include "core/instant.hpp"

namespace metrics_refresh::core {

struct HealthLimits {
  int window_hours = 24;
  double success_rate_warning = 95;   // percent
  double success_rate_critical = 80;  // percent
  Duration duration_warning = std::chrono::seconds(5);
  int stale_warning = 2;   // due times without a success
  int stale_critical = 3;  // due times without a success
};

/// How much of a limited resource a role uses.
struct ShareFacts {
  std::string role;
  std::string what;  // the resource, such as "jobs"
  std::int64_t used = 0;
  std::int64_t limit = 0;
  std::string setting;
};

/// The demand for background processes of the server, and their use.
struct ProcessFacts {
  int limit = 0;        // max_worker_processes, or 0 if nothing is known
  int databases = 0;    // with the extension; each has a scheduler
  int max_workers = 0;  // metrics_refresh.max_workers
  int others = 0;       // processes of other parts of the server now
  int parallel = 0;     // processes of parallel queries now
};

/// Facts about the server and this database.
struct ServerFacts {
  bool preloaded = false;
  bool enabled = true;
  bool in_recovery = false;  // on a standby nothing runs, and that is correct
  bool launcher_running = false;
  bool scheduler_running = false;
  int waiting_runs = 0;                  // for a worker
  std::optional<Instant> waiting_since;  // due time of the first of them
  std::optional<Instant> next_due;       // as last published by the scheduler
  std::string admin_reason;              // why the admin settings have no effect, or empty
  std::optional<Instant> oldest_log_row;
  Duration log_retention{};
  std::vector<ShareFacts> shares;
  ProcessFacts processes;
  QueueFacts queue;
};

/// Facts about a materialized view that an active job refreshes.
struct ViewFacts {
  std::string name;  // qualified
  bool exists = true;
  bool never_seen = false;     // the view of a default job, which has never existed
  std::string given_name;      // qualified; set if the view has another name than the job was given
  std::string namesake_owner;  // owner of another view that has the given name
  bool populated = true;
  bool wants_unique_index = false;      // its strategy needs one, but there is none
  std::string index_to_create;          // a statement, if one can be proposed
  std::string reason;                   // why changes of its tables cannot be counted
  std::string demoted;                  // finding of an audit of incremental refreshes
  std::string not_skipped;              // finding of an audit of skipping
  std::optional<Instant> last_success;  // from the log
  std::optional<std::int64_t> rows;     // after that refresh
  int due_since_success = 0;            // due times since then, or since the job was made
  std::string last_error;               // of a later run
};

/// Facts about an active job, for the window.
struct JobFacts {
  std::string name;      // with the owner, if another visible job has the same name
  std::string argument;  // the argument for functions: its name, or its number
  bool is_group = false;
  bool is_incremental = false;
  std::vector<ViewFacts> views;  // one for a refresh, all for a group, none for a command
  bool owner_exists = true;
  std::string owner;
  std::string login_reason;              // why its command cannot run, or empty
  std::optional<std::string> suspended;  // the reason
  std::int64_t finished_runs = 0;
  std::int64_t successful_runs = 0;
  std::optional<double> mean_duration_ms;  // of successful runs
  bool fresh_since_last_run = false;       // nothing had changed at due times after the last run
  std::optional<Instant> last_success;
  int due_since_success = 0;  // due times since then, or since the job was made
  std::string last_error;
  int failed_attempts = 0;  // at the last due time, if the last run failed
  int max_retries = 0;
  bool never_due = false;  // its blackout windows cover all its due times
};

/// Returns at least one finding for each check: an `ok`, or one for each problem.
std::vector<Finding> check_health(Instant now, const ServerFacts& server,
                                  const std::vector<JobFacts>& jobs, const HealthLimits& limits);

/// Returns the worst severity of the findings; kOk if there are none.
Severity worst(const std::vector<Finding>& findings);

}  // namespace metrics_refresh::core
