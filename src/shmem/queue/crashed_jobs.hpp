// The jobs that were running when the server crashed, of all databases, as the file of claims has
// them.
#pragma once

#include <vector>

#include "shmem/queue/claims_file.hpp"

namespace metrics_refresh::shmem::queue {

using CrashedJob = ClaimedJob;

/// Reads the file into shared memory, and removes it. Does nothing if that has been done in this
/// life of shared memory. REQUIRES: no worker has run in it yet.
void take_claims_file();

struct CrashedJobs {
  std::vector<CrashedJob> jobs;  // of this database, not forgotten yet
  int others = 0;                // that ran in other databases, and groups
};
CrashedJobs crashed_jobs();
/// The scheduler of this database has written down their ends.
void forget_crashed_jobs();

/// The server crashed while the deferred triggers of a group of this type ran, or while it
/// committed. Jobs of the type then run singly until the next start: either they show which of them
/// crashes the server, or only all of them together do. REQUIRES: take_claims_file() was called, as
/// it was before any worker started.
bool has_crashed_in_group(std::int32_t type) noexcept;

}  // namespace metrics_refresh::shmem::queue
