// A cron expression of five fields, as crontab(5) describes them, and its due times in a zone. No
// dialects: what cron implementations disagree about (`?`, `L`, `#`, seconds, `a/n`, wrapping
// ranges) is an error, not a guess.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <optional>
#include <string_view>

#include "core/instant.hpp"
#include "core/minute_pattern.hpp"
#include "core/time_zone.hpp"

namespace metrics_refresh::core {

class CronExpression {
 public:
  /// Reads `minute hour day-of-month month day-of-week`; letter case and surrounding white space do
  /// not matter. If both day fields are restricted, that is, neither begins with `*`, a day matches
  /// by either of them, else it must match by both. Throws ScheduleError for anything else, and for
  /// a date that no year has.
  static CronExpression parse(std::string_view text);

  /// The first due time strictly after `after`, by the rules for daylight saving time in
  /// schedule.hpp; or nothing where none falls into the local years 1400 to 9999. Allocates
  /// nothing. REQUIRES: the zone's offsets are within seven days of UTC (POSIX TZ strings allow as
  /// much).
  std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

 private:
  CronExpression(MinutePattern pattern, bool follows_clock)
      : pattern_(pattern), follows_clock_(follows_clock) {}

  std::optional<Instant> next_reading(Instant after, const TimeZone& zone) const;
  std::optional<Instant> next_fixed_time(Instant after, const TimeZone& zone) const;

  MinutePattern pattern_;
  bool follows_clock_;  // due at every matching reading of the clock, not at times of a day
};

}  // namespace metrics_refresh::core
