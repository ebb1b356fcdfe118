// When a step of the upkeep has something to do.
#pragma once

#include <algorithm>
#include <optional>

#include "store/backoff.hpp"

namespace metrics_refresh::queue {

class Due {
 public:
  /// Due at once, or at this time if that is earlier than the present one.
  void at_once() { at_ = core::Instant::min(); }
  void no_later_than(core::Instant at) { at_ = at_ ? std::min(*at_, at) : at; }
  void never() { at_.reset(); }

  /// Returns true if the time has come, or if it is more than `longest` ahead, because the clock
  /// was set back. Then it is due no more.
  bool take(core::Instant now, core::Duration longest = store::kLongestDelay) {
    if (!at_ || !store::is_time(*at_, now, longest)) return false;
    at_.reset();
    return true;
  }
  /// The step failed: it is tried again after a growing delay.
  void failed(core::Instant now) { no_later_than(backoff_.next(now)); }
  void succeeded() { backoff_.reset(); }

  std::optional<core::Instant> at() const { return at_; }

 private:
  std::optional<core::Instant> at_;
  store::Backoff backoff_;
};

/// The earlier one of two times, each of which may be none.
inline std::optional<core::Instant> earlier(std::optional<core::Instant> a,
                                            std::optional<core::Instant> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace metrics_refresh::queue
