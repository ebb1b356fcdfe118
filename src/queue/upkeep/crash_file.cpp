#include "queue/upkeep/crash_file.hpp"

#include <vector>

#include "pg/claims_file.hpp"
#include "shmem/queue/crashed_jobs.hpp"

namespace metrics_refresh::queue {

void take_claims_file() {
  if (!shmem::queue::wants_crashed_jobs()) return;
  std::vector<shmem::queue::CrashedJob> jobs;
  for (const pg::ClaimedJob& job : pg::read_claims_file())
    jobs.push_back({job.database, job.job, job.version, job.attempt});
  shmem::queue::store_crashed_jobs(jobs);
  pg::remove_claims_file();
}

}  // namespace metrics_refresh::queue
