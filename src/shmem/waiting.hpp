// The runs that wait for a worker. The schedulers publish them here, so that sessions can show
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// The limit for all databases together. DatabaseStatus::waiting counts all waiting runs.
inline constexpr int kMaxShownWaiting = 1024;

struct WaitingRun {
  Oid database;  // InvalidOid if the entry is free
  std::int64_t job_id;
  int member;  // or kNoMember
  TimestampTz due;
};

/// Replaces the published runs of the database.
void publish_waiting(Oid database, const std::vector<WaitingRun>& runs);

/// Removes the published runs of the database. REQUIRES: the lock is held.
void clear_waiting_locked(Oid database) noexcept;

/// The published runs of the database. Empty if the library was not preloaded.
std::vector<WaitingRun> waiting_runs(Oid database);

}  // namespace metrics_refresh::shmem
