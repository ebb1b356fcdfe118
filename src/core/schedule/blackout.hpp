// A window of the week in which a job is not due: some days, from a time of day to another, on the
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
  /// Reads `[days ]HH:MM-HH:MM`: days as in cron's day-of-week field (every day where they are left
  /// out), times from 00:00 to 24:00. A window whose end is not after its begin reaches into the
  /// next day: `fri 22:00-06:00` ends on Saturday. The begin belongs to the window, the end does
  /// not. Throws ScheduleError.
  static Blackout parse(std::string_view text);

  /// Where `t` lies in the window, the first instant after it; else nothing. A window begins when
  /// the clock first shows its begin or has jumped over it, and lasts until the clock is past its
  /// end for good: of a time that occurs twice in autumn, until the second.
  std::optional<Instant> end_of(Instant t, const TimeZone& zone) const;

 private:
  Blackout(std::uint8_t days, std::chrono::minutes begin, std::chrono::minutes length)
      : days_(days), begin_(begin), length_(length) {}

  std::uint8_t days_;  // bit n: a window begins on day n, 0 being Sunday
  std::chrono::minutes begin_;
  std::chrono::minutes length_;
};

}  // namespace metrics_refresh::core
