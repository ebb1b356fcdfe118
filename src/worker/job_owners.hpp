// The scheduler's look at the owners of jobs after roles were renamed or dropped, in a short
// transaction that waits for nobody long; where somebody holds a job, it is repeated.
#pragma once

#include <optional>

#include "pg/time.hpp"

namespace metrics_refresh::worker {

class JobOwners {
 public:
  /// Roles were renamed or dropped.
  void expect() { at_ = core::Instant::min(); }

  /// Does what is to be done at `now`.
  void work(core::Instant now);

  /// When to call work() again although nobody expects anything.
  std::optional<core::Instant> try_again_at() const { return at_; }

 private:
  std::optional<core::Instant> at_ =
      core::Instant::min();  // no scheduler may have run when it happened
};

}  // namespace metrics_refresh::worker
