// A cron expression of five fields, as crontab(5) describes them, or six with the seconds first,
// and its due times in a zone. What a field takes beyond crontab(5) is in cron_field.hpp.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <optional>
#include <string_view>

#include "core/instant.hpp"
#include "core/schedule/clock_pattern.hpp"
#include "core/schedule/schedule_text.hpp"
#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::core {

class CronExpression {
 public:
  /// Reads `minute hour day-of-month month day-of-week`, or `@seconds` and six fields, the first of
  /// them the second; letter case does not matter. If both day fields are restricted, that is,
  /// neither begins with `*` or is `?`, a day matches by either of them, else it must match by
  /// both. Throws ScheduleError for anything else, and for a day that no year has. REQUIRES: there
  /// are words.
  static CronExpression parse(const Words& words, std::string_view job_name);

  /// The first due time strictly after `after`, by the rules for daylight saving time in
  /// schedule.hpp; or nothing where none falls into the local years 1400 to 9999. Allocates
  /// nothing. REQUIRES: the zone's offsets are within seven days of UTC (POSIX TZ strings allow as
  /// much).
  std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

  // For a description.
  const ClockPattern& pattern() const { return pattern_; }
  bool has_seconds() const { return has_seconds_; }
  /// Whether it is due at every matching reading of the clock, else at fixed times: see
  /// schedule.hpp.
  bool follows_clock() const { return follows_clock_; }
  /// Whether a step is longer than its range, so that it leaves the first value alone.
  bool has_idle_step() const { return has_idle_step_; }
  bool has_spread() const { return spread_ != 0; }
  /// Whether the field, numbered as in spread(), holds an `H`.
  bool has_spread(unsigned field) const { return (spread_ >> field & 1U) != 0; }

 private:
  CronExpression() = default;

  std::optional<Instant> next_reading(Instant after, const TimeZone& zone) const;
  std::optional<Instant> next_fixed_time(Instant after, const TimeZone& zone) const;

  ClockPattern pattern_;
  bool follows_clock_ = false;
  bool has_seconds_ = false;
  bool has_idle_step_ = false;
  std::uint8_t spread_ = 0;
};

}  // namespace metrics_refresh::core
