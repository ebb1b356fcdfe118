// The due times of a schedule as text, for tests by example.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/schedule/schedule.hpp"
#include "unit/fake_zone.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {

using Times = std::vector<std::string>;

inline const TimeZone& utc_zone() {
  static const FakeZone zone(std::chrono::seconds{0});
  return zone;
}

/// The first `count` due times after `after`, in UTC; fewer, and "never" last, where they end.
inline Times due_times(const std::string& text, const std::string& after, int count,
                       const TimeZone& zone = utc_zone()) {
  const Schedule schedule = Schedule::parse(text);
  Times result;
  std::optional<Instant> t = utc(after);
  while (count-- > 0 && t) {
    t = schedule.next_after(*t, zone);
    result.push_back(text_of(t));
  }
  return result;
}

}  // namespace metrics_refresh::core::test
