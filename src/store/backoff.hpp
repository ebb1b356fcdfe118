// The delays between tries of an action that fails permanently. The first delay is one second, and
// each further one doubles, up to a minute. The tries then cost little until the cause is removed.
#pragma once

#include <algorithm>

#include "store/own_tables.hpp"

namespace metrics_refresh::store {

inline constexpr core::Duration kLongestDelay = std::chrono::minutes(1);

class Backoff {
 public:
  /// The time of the next try after another failure.
  core::Instant next(core::Instant now) {
    delay_ = std::min(std::max(delay_ * 2, kTryAgain), kLongestDelay);
    return now + delay_;
  }
  void reset() { delay_ = {}; }

 private:
  core::Duration delay_{};
};

}  // namespace metrics_refresh::store
