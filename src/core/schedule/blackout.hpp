// A weekly window in which a job is not due: certain days, from one time of day to another, on the
// clock of the job's zone.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/instant.hpp"
#include "core/schedule/schedule_error.hpp"
#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::core {

class Blackout {
 public:
  /// Reads `[days ]HH:MM-HH:MM`. Days are written as in cron's day-of-week field; the default is
  /// every day. Times are from 00:00 to 24:00. If the end is not after the start, the window
  /// reaches into the next day: `fri 22:00-06:00` ends on Saturday. The start belongs to the
  /// window, the end does not. Throws ScheduleError.
  static Blackout parse(std::string_view text);

  /// If `t` is in the window, returns the first instant after the window; otherwise nothing. A
  /// window begins when the clock first shows its start or skips it. It lasts until the clock has
  /// passed its end for the last time: if a time occurs twice in autumn, until the second one.
  std::optional<Instant> end_of(Instant t, const TimeZone& zone) const;

 private:
  Blackout(std::uint8_t days, std::chrono::minutes begin, std::chrono::minutes length)
      : days_(days), begin_(begin), length_(length) {}

  std::uint8_t days_;  // bit n: a window begins on day n, 0 being Sunday
  std::chrono::minutes begin_;
  std::chrono::minutes length_;
};

}  // namespace metrics_refresh::core
