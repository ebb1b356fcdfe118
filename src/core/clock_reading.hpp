// From a wall-clock time to real time, where a zone's clock is set forward and back: when the clock
// first gets there, and when it is past it for good.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include "core/local_time.hpp"
#include "core/time_zone.hpp"

namespace metrics_refresh::core {

/// No zone is further from UTC (POSIX TZ strings allow as much).
inline constexpr std::chrono::hours kWidestOffset{7 * 24};

/// The first moment at which the clock shows `time` or has jumped over it. REQUIRES: `time` is
/// within the calendar.
Instant first_moment_of(LocalMinute time, const TimeZone& zone);

/// The first moment from which on the clock never shows less than `time` again; later than the
/// first moment of `time` only where an hour that repeats holds it. REQUIRES: `time` is within the
/// calendar.
Instant last_arrival_at(LocalMinute time, const TimeZone& zone);

}  // namespace metrics_refresh::core
