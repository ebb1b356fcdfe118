// A distance between due times: a fixed length, or whole days or months of the calendar. Knows
// nothing of the words that it was written in (interval_text.hpp).
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>

#include "core/instant.hpp"
#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::core {

class Interval {
 public:
  enum class Unit : std::uint8_t { kSeconds, kDays, kWeeks, kMonths };

  /// REQUIRES: 1 <= `count` <= most(unit).
  Interval(Unit unit, std::int64_t count) : unit_(unit), count_(count) {}

  /// Ten years' worth.
  static std::int64_t most(Unit unit);

  /// The first due time strictly after `after`, or nothing where none comes by the end of the year
  /// 9999. Seconds are aligned to whole multiples since 1970-01-01 00:00 UTC, so a slot does not
  /// depend on when the server started. The others are due at midnight in the zone, by the rules
  /// for a fixed time: every n-th day since 1970-01-01; every n-th Monday since 1969-12-29; the
  /// first of every n-th month since January 1970.
  std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

  Unit unit() const { return unit_; }
  std::int64_t count() const { return count_; }

 private:
  Unit unit_;
  std::int64_t count_;
};

/// The first of the instants `from` + n * `step`, n from 1, after `after`; by the end of the year
/// 9999. REQUIRES: `step` is positive.
std::optional<Instant> next_multiple(Instant from, Duration step, Instant after);

}  // namespace metrics_refresh::core
