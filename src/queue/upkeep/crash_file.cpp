#include "queue/upkeep/crash_file.hpp"

#include "pg/claims_file.hpp"
#include "shmem/queue/crashed_jobs.hpp"

namespace metrics_refresh::queue {

void take_claims_file() {
  if (!shmem::queue::wants_crashed_jobs()) return;
  shmem::queue::store_crashed_jobs(pg::read_claims_file());
  pg::remove_claims_file();
}

}  // namespace metrics_refresh::queue
