// The runs that wait for a worker, as their schedulers publish them, so that everybody can see
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// Of all databases together no more are shown; DatabaseStatus::waiting counts all.
inline constexpr int kMaxShownWaiting = 1024;

struct WaitingRun {
  Oid database;  // InvalidOid: a free entry
  std::int64_t job_id;
  int member;  // or kNoMember
  TimestampTz due;
};

/// Shows these in place of what the database's scheduler showed before.
void publish_waiting(Oid database, const std::vector<WaitingRun>& runs);

/// Shows nothing of the database any more. REQUIRES: the lock is held.
void clear_waiting_locked(Oid database) noexcept;

/// What is shown of the database; nothing where the library was not preloaded.
std::vector<WaitingRun> waiting_runs(Oid database);

}  // namespace metrics_refresh::shmem
