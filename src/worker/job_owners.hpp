// Checks the owners of jobs after roles were renamed or dropped, and the handlers of job types
// after functions were renamed or created again. It uses a short transaction of the scheduler with
// a short lock_timeout. If another session has locked a row, the check is repeated.
#pragma once

#include <cstdint>
#include <optional>

#include "pg/time.hpp"

namespace metrics_refresh::worker {

class JobOwners {
 public:
  /// Requests a check, because roles were renamed or dropped.
  void expect() { at_ = core::Instant::min(); }

  /// Checks the owners and handlers, if it is time for that.
  void work(core::Instant now);

  /// When to call work() again without a call of expect().
  std::optional<core::Instant> try_again_at() const { return at_; }

 private:
  std::uint64_t types_seen_ = 0;  // shmem::changes_of_types() at the last check
  std::optional<core::Instant> at_ =
      core::Instant::min();  // roles may have changed while no scheduler was running
};

}  // namespace metrics_refresh::worker
