// When something is tried again that fails for a reason which stays: after a second, then ever
// later, so that it costs next to nothing until somebody mends the cause.
#pragma once

#include <algorithm>

#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

inline constexpr core::Duration kLongestDelay = std::chrono::minutes(1);

class Backoff {
 public:
  /// It has failed again: when to try.
  core::Instant next(core::Instant now) {
    delay_ = std::min(std::max(delay_ * 2, kTryAgain), kLongestDelay);
    return now + delay_;
  }
  void reset() { delay_ = {}; }

 private:
  core::Duration delay_{};
};

}  // namespace metrics_refresh::worker
