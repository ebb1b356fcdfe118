// A cron expression of five fields, as described in crontab(5), or of six fields with the seconds
// first, and its due times in a zone. cron_field.hpp describes the extensions of fields.
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
  /// Reads `minute hour day-of-month month day-of-week`, or `@seconds` and six fields, with the
  /// second first. Letter case does not matter. A day field is restricted if it does not begin with
  /// `*` and is not `?`. If both day fields are restricted, a day needs to match one of them,
  /// otherwise both. Throws ScheduleError for any other text, and for a day that no year has.
  /// REQUIRES: there is at least one word.
  static CronExpression parse(const Words& words, std::string_view job_name);

  /// Returns the first due time strictly after `after`, according to the rules for daylight saving
  /// time in schedule.hpp. Returns nothing if there is none in the local years 1400 to 9999.
  /// Allocates nothing. REQUIRES: the zone's offsets are within seven days of UTC, as in POSIX TZ
  /// strings.
  std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

  // Accessors for descriptions.
  const ClockPattern& pattern() const { return pattern_; }
  bool has_seconds() const { return has_seconds_; }
  /// Returns true if every matching reading of the clock is due, and false for fixed times: see
  /// schedule.hpp.
  bool follows_clock() const { return follows_clock_; }
  /// Returns whether a step is longer than its range, so that only the first value is left.
  bool has_idle_step() const { return has_idle_step_; }
  bool has_spread() const { return spread_ != 0; }
  /// Returns whether the field with this number (as in spread()) contains an `H`.
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
