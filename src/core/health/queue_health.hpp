// The checks of the job queue.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/health/finding.hpp"
#include "core/instant.hpp"

namespace metrics_refresh::core {

/// Facts about the queue of this database. Those about types are of the types that the caller may
/// manage; the others are for super admins, and for others as if nothing was wrong.
struct QueueFacts {
  /// A type with ready jobs.
  struct Waiting {
    std::string type;
    bool is_external = false;  // claimed by workers outside the server
    Instant since;             // those that have waited longest for their turn
  };
  /// A type with jobs that are dead because the server crashed while they ran.
  struct Crashed {
    std::string type;
    std::int64_t jobs = 0;
    std::int64_t first_job = 0;
  };
  /// A type whose jobs cannot run.
  struct Unusable {
    std::string type;
    std::string owner;
    bool owner_exists = true;
    std::string login_reason;  // why no worker can connect as its owner, or empty
    std::string handler;       // its signature, if the function is the problem
    bool has_handler = true;   // the owner may not execute it
  };
  /// The oldest transaction that keeps a segment from being emptied.
  struct Blocker {
    int pid = 0;  // 0: a prepared transaction
    std::optional<Instant> since;
  };

  bool is_open = true;  // jobs can be claimed
  int workers = 0;      // attached
  std::vector<Waiting> waiting;
  bool has_free_segment = true;
  std::optional<Blocker> blocker;
  std::vector<Crashed> crashed;
  std::vector<Unusable> unusable;
  std::uint64_t double_ends = 0;  // attempts to end a job a second time
  std::int64_t transactions = 0;  // with an ID, of attempts since `counted_since`
  std::optional<Instant> counted_since;
  std::int64_t transactions_left = 0;  // before the wraparound of their IDs
};

/// Adds at least one finding for each check of the queue. `is_served`: jobs can start on this
/// server.
void check_queue(std::vector<Finding>& findings, Instant now, const QueueFacts& queue,
                 bool is_served);

}  // namespace metrics_refresh::core
