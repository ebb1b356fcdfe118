// The jobs that were running when the server crashed, of all databases. The launcher stores them
// once in a life of shared memory, before any worker of it exists.
#pragma once

#include <vector>

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

struct CrashedJob {
  Oid database = InvalidOid;
  JobNumber job = 0;
  std::int16_t version = 0;  // of its row
  std::int16_t attempt = 0;
};
inline constexpr int kMostCrashed = 256;  // as many as there can be workers

/// True until store_crashed_jobs() was called in this life of shared memory.
bool wants_crashed_jobs();
void store_crashed_jobs(const std::vector<CrashedJob>& jobs);

struct CrashedJobs {
  bool are_known = false;        // the launcher has stored them
  std::vector<CrashedJob> jobs;  // of this database, not forgotten yet
  int others = 0;                // that ran in other databases
};
CrashedJobs crashed_jobs();
/// The scheduler of this database has written what follows from them.
void forget_crashed_jobs();

}  // namespace metrics_refresh::shmem::queue
