#include "core/queue/crash_policy.hpp"

namespace metrics_refresh::core::queue {

// The limit of crashes comes first, because it says more about the job than its attempts do.
AfterCrash after_crash(const CrashedJob& job, int limit) noexcept {
  AfterCrash after;
  after.crashes = job.crashes + (job.alone ? 1 : 0);
  if (job.alone && after.crashes >= limit)
    after.next = AfterCrash::Next::kCrasher;
  else if (job.attempts >= job.max_attempts)
    after.next = AfterCrash::Next::kTooManyTries;
  return after;
}

}  // namespace metrics_refresh::core::queue
