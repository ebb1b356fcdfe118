#include "core/schedule/interval.hpp"

#include <algorithm>

#include "core/schedule/clock_reading.hpp"
#include "core/schedule/local_time.hpp"

namespace metrics_refresh::core {
// Weeks and months are counted from fixed origins, so due times do not depend on when a job was
// created.
namespace {

constexpr std::int64_t kEpochYear = 1970;
constexpr std::int64_t kFirstMonday = -3;  // 1969-12-29
constexpr Instant kEnd{kCalendarEnd.time_since_epoch()};

// Returns the first number >= `from` that is `origin` plus a multiple of `step`.
std::int64_t up_to_multiple(std::int64_t from, std::int64_t step, std::int64_t origin = 0) {
  const std::int64_t past = (from - origin) % step;
  // % rounds toward zero, so the remainder is negative for times before the origin.
  return past == 0 ? from : from - past + (past > 0 ? step : 0);
}

// Returns the first day of every `step`-th month at or after `day`, or the end of the calendar.
std::int64_t first_of_month_from(std::int64_t day, std::int64_t step) {
  const LocalDate date = date_of(LocalDay{Days{day}});
  std::int64_t month = (date.year - kEpochYear) * 12 + date.month - 1;
  if (date.day > 1) ++month;
  month = up_to_multiple(month, step);
  // Division rounds toward zero, so years before 1970 are rounded down by hand.
  const std::int64_t year = kEpochYear + (month >= 0 ? month / 12 : -((11 - month) / 12));
  if (year > kLastYear) return kCalendarEnd.time_since_epoch().count();
  const std::int64_t in_year = month - (year - kEpochYear) * 12;
  return first_of_month(static_cast<unsigned>(year), static_cast<unsigned>(in_year + 1))
      .time_since_epoch()
      .count();
}

}  // namespace

std::int64_t Interval::most(Unit unit) {
  switch (unit) {
    case Unit::kSeconds:
      return 10 * 365 * 86400;
    case Unit::kDays:
      return 10 * 365;
    case Unit::kWeeks:
      return 10 * 365 / 7;
    case Unit::kMonths:
      return 10 * 12;
  }
  return 0;
}

std::optional<Instant> next_multiple(Instant from, Duration step, Instant after) {
  if (after >= kEnd || from >= kEnd) return std::nullopt;
  Instant next = from + step;
  // If the previous run ended long ago, whole steps are skipped at once.
  if (after >= next) next = after + step - (after - from) % step;
  if (next >= kEnd) return std::nullopt;
  return next;
}

std::optional<Instant> Interval::next_after(Instant after, const TimeZone& zone) const {
  if (unit_ == Unit::kSeconds) {
    if (after >= kEnd) return std::nullopt;
    // Seconds are counted in real time, so they need neither the zone nor the calendar.
    const Duration step = std::chrono::seconds{count_};
    const std::int64_t next = up_to_multiple(after.time_since_epoch().count() + 1, step.count());
    return Instant{Duration{next}} < kEnd ? std::optional(Instant{Duration{next}}) : std::nullopt;
  }
  if (after >= kLatestInstant) return std::nullopt;
  // Days, weeks and months are due at midnight of the zone, so the search runs on the wall clock.
  const LocalSecond open = std::max(first_open_second(std::max(after, kEarliestInstant), zone),
                                    LocalSecond{kCalendarBegin});
  const std::int64_t from = std::chrono::ceil<Days>(open).time_since_epoch().count();
  const auto end = kCalendarEnd.time_since_epoch().count();
  if (from >= end) return std::nullopt;
  std::int64_t day = 0;
  switch (unit_) {
    case Unit::kMonths:
      day = first_of_month_from(from, count_);
      break;
    case Unit::kWeeks:
      day = up_to_multiple(from, 7 * count_, kFirstMonday);
      break;
    default:
      day = up_to_multiple(from, count_);
  }
  if (day >= end) return std::nullopt;
  return first_moment_of(LocalDay{Days{day}}, zone);
}

}  // namespace metrics_refresh::core
