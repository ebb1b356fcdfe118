#include "core/schedule/clock_reading.hpp"

#include <algorithm>

// A zone is a sequence of periods with a constant offset each. The functions start at a period that
// is certainly early or late enough, given the widest offset, and then move period by period. So
// they need no assumption about the size or direction of a change.
//
// Example: on 2026-03-29 the clock in Berlin jumps from 02:00 to 03:00
//   first_moment_of(02:30) = 01:00 UTC, the moment of the jump

namespace metrics_refresh::core {

Instant first_moment_of(LocalSecond time, const TimeZone& zone) {
  auto period = zone.period_at(to_instant(time, kWidestOffset));
  while (to_instant(time, period.offset) >= period.end) period = zone.period_at(period.end);
  // If the reading would be before the start of the period, then the clock skipped it there.
  return std::max(to_instant(time, period.offset), period.begin);
}

Instant last_arrival_at(LocalSecond time, const TimeZone& zone) {
  auto period = zone.period_at(to_instant(time, -kWidestOffset));
  // If the period begins after that reading, then the reading belongs to an earlier period.
  while (to_instant(time, period.offset) <= period.begin)
    period = zone.period_at(period.begin - Duration{1});
  return std::min(to_instant(time, period.offset), period.end);
}

LocalSecond first_open_second(Instant after, const TimeZone& zone) {
  using std::chrono::seconds;
  auto period = zone.period_at(after);
  auto open = std::chrono::floor<seconds>(to_local(after, period.offset)) + seconds{1};
  // A change can be at most twice the widest offset in size, so earlier periods need no look.
  while (period.begin > after - 2 * kWidestOffset) {
    const Instant end = period.begin;
    period = zone.period_at(end - Duration{1});
    open = std::max(open, std::chrono::ceil<seconds>(to_local(end, period.offset)));
  }
  return open;
}

}  // namespace metrics_refresh::core
