// When a job is due: five cron fields, a cron nickname, or a fixed interval. A Schedule is an
// immutable value; it holds no zone and no clock.
//
// Daylight saving time, for cron schedules:
//  - a fixed time that the spring gap swallows is due at the first moment after the gap;
//  - a fixed time that occurs twice in autumn is due once, the first time;
//  - a schedule with a wildcard or a step in its minute or hour field is due at every matching
//    wall-clock reading as real time passes: twice where an hour repeats, never inside a gap.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "core/cron.hpp"
#include "core/instant.hpp"
#include "core/schedule_error.hpp"
#include "core/time_zone.hpp"

namespace metrics_refresh::core {

class Schedule {
 public:
  /// Reads one of
  ///   `minute hour day-of-month month day-of-week` (crontab(5): names, lists, ranges, steps),
  ///   `@hourly @daily @midnight @weekly @monthly @yearly @annually`,
  ///   `N second(s)|minute(s)|hour(s)`, N from 1 to ten years' worth.
  /// Letter case and surrounding white space do not matter. Throws ScheduleError for anything
  /// else: trailing text, six fields, a reversed or empty set, a number out of range, a date that
  /// no year has (`31 2`).
  static Schedule parse(std::string_view text);

  /// The first due time strictly after `after`, or nothing where none comes by the end of the year
  /// 9999. Intervals are aligned to whole multiples since 1970-01-01 00:00 UTC, so a slot does not
  /// depend on when the server started.
  std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

 private:
  explicit Schedule(std::variant<CronExpression, Duration> rule) : rule_(std::move(rule)) {}

  std::variant<CronExpression, Duration> rule_;
};

}  // namespace metrics_refresh::core
