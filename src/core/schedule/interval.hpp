// A distance between due times: a fixed length, or whole days, weeks or months of the calendar. The
// text format is in interval_text.hpp.
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

  /// The equivalent of ten years.
  static std::int64_t most(Unit unit);

  /// Returns the first due time strictly after `after`, or nothing if there is none before the year
  /// 10000. Seconds are aligned to whole multiples since 1970-01-01 00:00 UTC, so due times do not
  /// depend on when the server was started. The other units are due at midnight in the zone, by the
  /// rules for fixed times: every n-th day since 1970-01-01, every n-th Monday since 1969-12-29, or
  /// the first day of every n-th month since January 1970.
  std::optional<Instant> next_after(Instant after, const TimeZone& zone) const;

  Unit unit() const { return unit_; }
  std::int64_t count() const { return count_; }

 private:
  Unit unit_;
  std::int64_t count_;
};

/// Returns the first of the instants `from` + n * `step` (n >= 1) after `after`, or nothing if it
/// is after the year 9999. REQUIRES: `step` is positive.
std::optional<Instant> next_multiple(Instant from, Duration step, Instant after);

}  // namespace metrics_refresh::core
