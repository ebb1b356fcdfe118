// The scheduler's clean-up of what is left over of incremental views, in short transactions that
// wait for nobody long; what cannot be done now is tried again, ever less often.
#pragma once

#include <optional>

#include "pg/time.hpp"

namespace metrics_refresh::worker {

class Sweep {
 public:
  /// Something may be left over.
  void expect() {
    at_ = core::Instant::min();
    delay_ = {};
  }

  /// Does what is to be done at `now`.
  void work(core::Instant now);

  /// When to call work() again although nobody expects anything.
  std::optional<core::Instant> try_again_at() const { return at_; }

 private:
  std::optional<core::Instant> at_ =
      core::Instant::min();  // after a restart there may be something
  core::Duration delay_{};
};

}  // namespace metrics_refresh::worker
