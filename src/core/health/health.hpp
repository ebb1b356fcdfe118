// From facts to findings: what is wrong, how badly, and what to do. It gathers nothing itself.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/instant.hpp"

namespace metrics_refresh::core {

enum class Severity : std::uint8_t { kOk, kWarning, kCritical };

/// `ok`, `warning` or `critical`.
const char* to_string(Severity severity);

struct Finding {
  std::string check;  // a word of the list in docs/operations.md
  Severity severity;
  std::string detail;  // what was seen
  std::string hint;    // what to do; empty where nothing is to be done
};

struct HealthLimits {
  int window_hours = 24;
  double success_rate_warning = 95;   // percent
  double success_rate_critical = 80;  // percent
  Duration duration_warning = std::chrono::seconds(5);
  int stale_warning = 2;   // due times without a success
  int stale_critical = 3;  // due times without a success
};

/// What a role has of something that it may have so much of.
struct ShareFacts {
  std::string role;
  std::string what;  // "jobs"
  std::int64_t used = 0;
  std::int64_t limit = 0;
  std::string setting;
};

/// Who wants the server's background processes, and who has them.
struct ProcessFacts {
  int limit = 0;        // max_worker_processes; 0: nothing is known
  int databases = 0;    // that have the extension: a scheduler each
  int max_workers = 0;  // metrics_refresh.max_workers
  int others = 0;       // that other parts of the server have now
  int parallel = 0;     // that parallel queries have now
};

/// Of the server and of this database.
struct ServerFacts {
  bool preloaded = false;
  bool enabled = true;
  bool in_recovery = false;  // a standby: nothing runs there, and all is as it should be
  bool launcher_running = false;
  bool scheduler_running = false;
  int waiting_runs = 0;                  // for a worker
  std::optional<Instant> waiting_since;  // when the first of them was due
  std::optional<Instant> next_due;       // as the scheduler last published it
  std::string admin_problem;             // of the admin settings; empty: none
  std::optional<Instant> oldest_log_row;
  Duration log_retention{};
  std::vector<ShareFacts> shares;
  ProcessFacts processes;
};

/// Of one materialized view that an active job refreshes.
struct ViewFacts {
  std::string name;  // qualified
  bool exists = true;
  bool never_seen = false;  // the view of a default job, which has never existed
  std::string given_name;   // qualified, where the job was given another name than the view has now
  std::string namesake_owner;  // of another view, which has the name that the job was given
  bool populated = true;
  bool wants_unique_index = false;      // its strategy needs one, and it has none
  std::string index_to_create;          // a statement, where one can be proposed
  std::string unseen;                   // why changes of what it reads cannot be counted here
  std::string demoted;                  // what an audit of the strategy incremental found wrong
  std::string not_skipped;              // what an audit of skipping found wrong
  std::optional<Instant> last_success;  // as logged
  std::optional<std::int64_t> rows;     // after that
  int due_since_success = 0;            // due times of its job since, or since the job was set up
  std::string last_error;               // of a run after that
};

/// Of one active job, over the window.
struct JobFacts {
  std::string name;      // with the owner, where others that are seen have the same
  std::string argument;  // what functions know it by: its name, or its number there
  bool is_group = false;
  bool is_incremental = false;
  std::vector<ViewFacts> views;  // of a refresh the one, of a group all, of a command none
  bool owner_exists = true;
  std::string owner;
  std::string login_problem;             // why its command cannot run; empty where it can
  std::optional<std::string> suspended;  // the reason
  std::int64_t finished_runs = 0;
  std::int64_t successful_runs = 0;
  std::optional<double> mean_duration_ms;  // of successful runs
  bool fresh_since_last_run = false;       // due times passed after it at which nothing had changed
  std::optional<Instant> last_success;
  int due_since_success = 0;  // due times that have passed since, or since the job was set up
  std::string last_error;
  int failed_attempts = 0;  // at the last due time, where the last run ended in an error
  int max_retries = 0;
  bool never_due = false;  // its blackout windows leave none of its due times
};

/// At least one finding for every check: an `ok` where nothing is wrong, else one per cause.
std::vector<Finding> check_health(Instant now, const ServerFacts& server,
                                  const std::vector<JobFacts>& jobs, const HealthLimits& limits);

/// The worst severity among them; kOk for none.
Severity worst(const std::vector<Finding>& findings);

}  // namespace metrics_refresh::core
