#include "core/schedule/clock_reading.hpp"

#include <algorithm>

namespace metrics_refresh::core {

Instant first_moment_of(LocalSecond time, const TimeZone& zone) {
  auto period = zone.period_at(to_instant(time, kWidestOffset));
  while (to_instant(time, period.offset) >= period.end) period = zone.period_at(period.end);
  return std::max(to_instant(time, period.offset), period.begin);
}

Instant last_arrival_at(LocalSecond time, const TimeZone& zone) {
  auto period = zone.period_at(to_instant(time, -kWidestOffset));
  while (to_instant(time, period.offset) <= period.begin)
    period = zone.period_at(period.begin - Duration{1});
  return std::min(to_instant(time, period.offset), period.end);
}

LocalSecond first_open_second(Instant after, const TimeZone& zone) {
  using std::chrono::seconds;
  auto period = zone.period_at(after);
  auto open = std::chrono::floor<seconds>(to_local(after, period.offset)) + seconds{1};
  while (period.begin > after - 2 * kWidestOffset) {
    const Instant end = period.begin;
    period = zone.period_at(end - Duration{1});
    open = std::max(open, std::chrono::ceil<seconds>(to_local(end, period.offset)));
  }
  return open;
}

}  // namespace metrics_refresh::core
