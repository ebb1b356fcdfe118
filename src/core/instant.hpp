// Points and durations of real time. Code in core/ receives the current time as an argument and
// never reads a clock. So a test can run a year in a millisecond.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <algorithm>
#include <chrono>
#include <limits>

namespace metrics_refresh::core {

/// A duration of real time in microseconds, which is the server's resolution.
using Duration = std::chrono::microseconds;

/// Converts to whole milliseconds, as the server's timeouts need them. Rounds down, and limits the
/// result to the range of int.
inline int to_milliseconds(Duration d) noexcept {
  constexpr auto kMost = std::chrono::milliseconds(std::numeric_limits<int>::max());
  return static_cast<int>(
      std::min(std::chrono::duration_cast<std::chrono::milliseconds>(d), kMost).count());
}

/// A point in real time, counted from 1970-01-01 00:00 UTC without leap seconds.
using Instant = std::chrono::time_point<std::chrono::system_clock, Duration>;

}  // namespace metrics_refresh::core
