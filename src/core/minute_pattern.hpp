// A set of wall-clock minutes, given by minute, hour, day, month and weekday, and the search in it.
// Pure calendar: it knows no zone and no offset.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/local_time.hpp"

namespace metrics_refresh::core {

/// Bit n of a mask stands for the number n. REQUIRES: no mask is empty, and ever_matches().
struct MinutePattern {
  std::uint64_t minutes;   ///< 0-59
  std::uint32_t hours;     ///< 0-23
  std::uint32_t days;      ///< of the month, 1-31
  std::uint32_t months;    ///< 1-12
  std::uint32_t weekdays;  ///< 0-6, Sunday is 0
  bool either_day;         ///< a day matches by `days` or by `weekdays`, else it must by both

  /// Whether any year has a matching day: false for 31 February.
  bool ever_matches() const;

  /// The first matching minute at or after `from`, or nothing where the calendar ends before it.
  /// Takes time by the number of months looked at, at most 40 years' (a leap day on a Sunday).
  std::optional<LocalMinute> first_from(LocalMinute from) const;

 private:
  std::optional<LocalDay> first_day_from(LocalDay from) const;
  std::optional<std::chrono::minutes> first_time_from(std::chrono::minutes from) const;
  std::uint32_t days_in(unsigned year, unsigned month, unsigned first_weekday) const;
};

}  // namespace metrics_refresh::core
