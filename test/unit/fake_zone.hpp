// A time zone from a table of transitions.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::core::test {

class FakeZone : public TimeZone {
 public:
  struct Transition {
    Instant at;
    std::chrono::seconds offset;  ///< from then on
  };

  /// REQUIRES: transitions in ascending order, all after Instant::min().
  explicit FakeZone(std::chrono::seconds first_offset, std::vector<Transition> transitions = {}) {
    periods_.push_back({Instant::min(), Instant::max(), first_offset});
    for (const Transition& transition : transitions) {
      periods_.back().end = transition.at;
      periods_.push_back({transition.at, Instant::max(), transition.offset});
    }
  }

  Period period_at(Instant t) const override {
    const auto next =
        std::upper_bound(periods_.begin(), periods_.end(), t,
                         [](Instant value, const Period& period) { return value < period.begin; });
    return *std::prev(next);
  }

  const std::vector<Period>& periods() const { return periods_; }

 private:
  std::vector<Period> periods_;
};

}  // namespace metrics_refresh::core::test
