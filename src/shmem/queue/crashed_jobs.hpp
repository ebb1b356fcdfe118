// The jobs that were running when the server crashed, of all databases. The launcher stores them
// once in a life of shared memory, before any worker of it exists.
#pragma once

#include <vector>

#include "pg/claims_file.hpp"
#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

using CrashedJob = pg::ClaimedJob;
inline constexpr int kMostCrashed = pg::kMostClaimedJobs;

/// True until store_crashed_jobs() was called in this life of shared memory.
bool wants_crashed_jobs();
void store_crashed_jobs(const std::vector<CrashedJob>& jobs);

struct CrashedJobs {
  std::vector<CrashedJob> jobs;  // of this database, not forgotten yet
  int others = 0;                // that ran in other databases
};
CrashedJobs crashed_jobs();
/// The scheduler of this database has written what follows from them.
void forget_crashed_jobs();

}  // namespace metrics_refresh::shmem::queue
