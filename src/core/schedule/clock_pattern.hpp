// A set of wall-clock seconds, given by second, minute, hour, day and month, and the search in it.
// It is pure calendar arithmetic, without zones and offsets.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/schedule/day_rule.hpp"
#include "core/schedule/local_time.hpp"

namespace metrics_refresh::core {

/// Bit n of a mask stands for the number n. REQUIRES: no mask is empty, and ever_matches() is true.
struct ClockPattern {
  std::uint64_t seconds = 1;  ///< 0-59
  std::uint64_t minutes = 0;  ///< 0-59
  std::uint32_t hours = 0;    ///< 0-23
  std::uint32_t months = 0;   ///< 1-12
  DayRule day;

  /// Returns whether any year has a matching day. It is false for 31 February.
  bool ever_matches() const { return day.ever_matches(months); }

  /// Returns the first matching second at or after `from`, or nothing if the calendar ends before
  /// it. The time is proportional to the number of months that are visited. The calendar repeats
  /// after 400 years.
  std::optional<LocalSecond> first_from(LocalSecond from) const;

 private:
  std::optional<LocalDay> first_day_from(LocalDay from) const;
  std::optional<std::chrono::seconds> first_time_from(std::chrono::seconds from) const;
};

}  // namespace metrics_refresh::core
