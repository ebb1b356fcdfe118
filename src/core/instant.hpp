// Points and spans of real time. Everything in core/ takes the present as an argument; nothing
// here reads a clock, so a test may run a year in a millisecond.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <algorithm>
#include <chrono>
#include <limits>

namespace metrics_refresh::core {

/// A span of real time, in microseconds: the server's own resolution.
using Duration = std::chrono::microseconds;

/// In whole milliseconds, as the server's timeouts are: cut off, and no more than they can be.
inline int to_milliseconds(Duration d) noexcept {
  constexpr auto kMost = std::chrono::milliseconds(std::numeric_limits<int>::max());
  return static_cast<int>(
      std::min(std::chrono::duration_cast<std::chrono::milliseconds>(d), kMost).count());
}

/// A point of real time, counted from 1970-01-01 00:00 UTC without leap seconds.
using Instant = std::chrono::time_point<std::chrono::system_clock, Duration>;

}  // namespace metrics_refresh::core
