#include "core/clock_reading.hpp"

#include <algorithm>

namespace metrics_refresh::core {

Instant first_moment_of(LocalMinute time, const TimeZone& zone) {
  auto period = zone.period_at(to_instant(time, kWidestOffset));
  while (to_instant(time, period.offset) >= period.end) period = zone.period_at(period.end);
  return std::max(to_instant(time, period.offset), period.begin);
}

Instant last_arrival_at(LocalMinute time, const TimeZone& zone) {
  auto period = zone.period_at(to_instant(time, -kWidestOffset));
  while (to_instant(time, period.offset) <= period.begin)
    period = zone.period_at(period.begin - Duration{1});
  return std::min(to_instant(time, period.offset), period.end);
}

}  // namespace metrics_refresh::core
