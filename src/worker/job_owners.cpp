#include "worker/job_owners.hpp"

#include "shmem/shmem.hpp"
#include "store/job_owners.hpp"
#include "store/queue/job_types.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

void JobOwners::work(core::Instant now) {
  const std::uint64_t types = shmem::changes_of_types();
  if (types != types_seen_) expect();
  if (!at_ || !is_time(*at_, now)) return;
  bool done = false;
  (void)try_with_own_tables("the owners of jobs cannot be looked at now", [&](pg::Spi& spi) {
    done = store::follow_owners(spi);
    done = store::queue::follow_handlers(spi) && done;
  });
  types_seen_ = types;
  at_.reset();
  if (!done) at_ = pg::now() + kTryAgain;
}

}  // namespace metrics_refresh::worker
