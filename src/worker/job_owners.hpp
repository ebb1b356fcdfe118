// Checks the owners of jobs after roles were renamed or dropped, in a short transaction of the
// scheduler with a short lock_timeout. If another session has locked a job, the check is repeated.
#pragma once

#include <optional>

#include "pg/time.hpp"

namespace metrics_refresh::worker {

class JobOwners {
 public:
  /// Requests a check, because roles were renamed or dropped.
  void expect() { at_ = core::Instant::min(); }

  /// Checks the owners, if it is time for that.
  void work(core::Instant now);

  /// When to call work() again without a call of expect().
  std::optional<core::Instant> try_again_at() const { return at_; }

 private:
  std::optional<core::Instant> at_ =
      core::Instant::min();  // roles may have changed while no scheduler was running
};

}  // namespace metrics_refresh::worker
