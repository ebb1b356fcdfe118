#include "worker/job_owners.hpp"

#include "store/job_owners.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

void JobOwners::work(core::Instant now) {
  if (!at_ || !is_time(*at_, now)) return;
  bool done = false;
  (void)try_with_own_tables("the owners of jobs cannot be looked at now",
                            [&](pg::Spi& spi) { done = store::follow_owners(spi); });
  at_.reset();
  if (!done) at_ = pg::now() + kTryAgain;
}

}  // namespace metrics_refresh::worker
