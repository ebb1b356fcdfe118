// From a wall-clock time to real time, where a zone's clock is set forward and back: when the clock
// first gets there, and when it is past it for good.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include "core/schedule/local_time.hpp"
#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::core {

/// No zone is further from UTC (POSIX TZ strings allow as much).
inline constexpr std::chrono::hours kWidestOffset{7 * 24};

/// Instants outside of these have no local date in the calendar, whatever the offset. Within them
/// no sum overflows.
inline constexpr Instant kEarliestInstant{kCalendarBegin.time_since_epoch() - kWidestOffset};
inline constexpr Instant kLatestInstant{kCalendarEnd.time_since_epoch() + kWidestOffset};

/// The first moment at which the clock shows `time` or has jumped over it. REQUIRES: `time` is
/// within the calendar.
Instant first_moment_of(LocalSecond time, const TimeZone& zone);

/// The first moment from which on the clock never shows less than `time` again; later than the
/// first moment of `time` only where an hour that repeats holds it. REQUIRES: `time` is within the
/// calendar.
Instant last_arrival_at(LocalSecond time, const TimeZone& zone);

/// The lowest wall-clock second whose first moment may come after `after`: times up to the latest
/// reading that the clock has ever shown are past, even where it shows an earlier one again.
/// REQUIRES: `after` is within kEarliestInstant and kLatestInstant.
LocalSecond first_open_second(Instant after, const TimeZone& zone);

}  // namespace metrics_refresh::core
