#include "core/queue/crash_policy.hpp"

namespace metrics_refresh::core::queue {

AfterCrash after_crash(const CrashedJob& job, std::int32_t limit) noexcept {
  AfterCrash after;
  after.attempts = job.attempts + 1;
  after.crashes = job.crashes + (job.was_alone ? 1 : 0);
  if (after.crashes >= limit)
    after.fate = AfterCrash::Fate::kCrashes;
  else if (after.attempts >= job.max_attempts)
    after.fate = AfterCrash::Fate::kNoAttempts;
  return after;
}

bool is_tried_before(const CrashedJob& one, const CrashedJob& other) noexcept {
  const std::int32_t crashes_of_one = one.crashes + (one.was_alone ? 1 : 0);
  const std::int32_t crashes_of_other = other.crashes + (other.was_alone ? 1 : 0);
  if (crashes_of_one != crashes_of_other) return crashes_of_one < crashes_of_other;
  return one.job < other.job;
}

}  // namespace metrics_refresh::core::queue
