// The starts of a type in the last period, for its rate limit. The period is cut into 64 windows. A
// start is allowed if all windows that overlap the last period hold fewer starts than the limit. So
// no period, wherever it begins, has more starts than the limit; at most 1/64 of the rate is lost.
//
// The clock is the caller's. If it goes back by less than a period, the starts are booked as if it
// stood still. If it goes back further, all earlier starts count as if they were made now.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>

#include "core/instant.hpp"

namespace metrics_refresh::core::queue {

class RateWindow {
 public:
  /// Starts that are known count as if they were made now. REQUIRES: period > 0.
  void set_period(Duration period, Instant now) noexcept;

  /// The number of starts that count at this moment. REQUIRES, as all below: set_period().
  std::uint32_t used(Instant now) noexcept;
  /// Books `count` starts, and returns the number of their window.
  std::int64_t book(Instant now, std::uint32_t count) noexcept;
  /// Takes back a start that was booked, but not made.
  void unbook(std::int64_t window) noexcept;
  /// Moves a booked start to the present. Returns false, and changes nothing, if that would exceed
  /// the limit because the booked window no longer counts.
  bool move(std::int64_t& window, Instant now, std::uint32_t limit) noexcept;
  /// The first moment at which fewer than `limit` starts count, if no more are made.
  Instant opens_at(Instant now, std::uint32_t limit) noexcept;

 private:
  static constexpr std::int64_t kParts = 64;
  static constexpr std::int64_t kWindows = kParts + 1;  // the oldest one overlaps in part

  std::uint32_t& count_of(std::int64_t window) noexcept { return counts_[window % kWindows]; }
  bool counts(std::int64_t window) const noexcept {
    return window <= current_ && window > current_ - kWindows;
  }
  void advance(Instant now) noexcept;
  void gather(std::int64_t window) noexcept;

  std::int64_t width_ = 0;  // in microseconds
  std::int64_t current_ = 0;
  std::uint32_t total_ = 0;
  std::uint32_t counts_[kWindows] = {};
};

}  // namespace metrics_refresh::core::queue
