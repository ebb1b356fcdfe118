// Wall-clock time: the readings of a clock and a calendar, without a zone. It has its own types, so
// that it cannot be confused with an Instant. The offset of a zone's period converts one to the
// other. The calendar is the proleptic Gregorian calendar.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <chrono>
#include <cstdint>
#include <ratio>

#include "core/instant.hpp"

namespace metrics_refresh::core {

struct WallClock {};

using Days = std::chrono::duration<std::int64_t, std::ratio<86400>>;

/// Counted from 1970-01-01 00:00 on the wall.
using LocalTime = std::chrono::time_point<WallClock, Duration>;
using LocalSecond = std::chrono::time_point<WallClock, std::chrono::seconds>;
using LocalDay = std::chrono::time_point<WallClock, Days>;

/// The range of the calendar, [1400-01-01, 10000-01-01), which is the range of Boost.Date_Time.
inline constexpr LocalDay kCalendarBegin{Days{-208188}};
inline constexpr LocalDay kCalendarEnd{Days{2932897}};

inline constexpr unsigned kLastYear = 9999;

struct LocalDate {
  unsigned year;
  unsigned month;  ///< 1 to 12
  unsigned day;    ///< 1 to 31
};

/// REQUIRES: the argument is within the calendar.
LocalDate date_of(LocalDay day);
LocalDay first_of_month(unsigned year, unsigned month);
unsigned length_of_month(unsigned year, unsigned month);

/// REQUIRES: the result is within the range of LocalTime.
constexpr LocalTime to_local(Instant t, std::chrono::seconds offset) {
  return LocalTime{t.time_since_epoch() + offset};
}

/// REQUIRES: the result is within the range of Instant.
constexpr Instant to_instant(LocalSecond t, std::chrono::seconds offset) {
  return Instant{t.time_since_epoch() - offset};
}

/// Returns 0 to 6; Sunday is 0.
constexpr unsigned weekday_of(LocalDay day) {
  constexpr std::int64_t kEpochWeekday = 4;  // 1970-01-01 was a Thursday
  const std::int64_t weekday = (day.time_since_epoch().count() + kEpochWeekday) % 7;
  return static_cast<unsigned>(weekday < 0 ? weekday + 7 : weekday);
}

}  // namespace metrics_refresh::core
