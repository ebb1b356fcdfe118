// Converts wall-clock time to real time in a zone whose clock is set forward and back. The two
// results are when the clock first reaches a time, and when it has passed that time for good.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include "core/schedule/local_time.hpp"
#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::core {

/// No zone is farther from UTC than this, which is the limit of POSIX TZ strings.
inline constexpr std::chrono::hours kWidestOffset{7 * 24};

/// Outside these instants, there is no local date in the calendar for any offset. Within them, no
/// sum overflows.
inline constexpr Instant kEarliestInstant{kCalendarBegin.time_since_epoch() - kWidestOffset};
inline constexpr Instant kLatestInstant{kCalendarEnd.time_since_epoch() + kWidestOffset};

/// Returns the first moment at which the clock shows `time` or has skipped it. REQUIRES: `time` is
/// within the calendar.
Instant first_moment_of(LocalSecond time, const TimeZone& zone);

/// Returns the first moment after which the clock never again shows less than `time`. It is later
/// than the first moment of `time` only if `time` is in an hour that repeats. REQUIRES: `time` is
/// within the calendar.
Instant last_arrival_at(LocalSecond time, const TimeZone& zone);

/// Returns the lowest wall-clock second whose first moment may be after `after`. All times up to
/// the latest reading that the clock has ever shown are past, even if the clock was set back since.
/// REQUIRES: `after` is within kEarliestInstant and kLatestInstant.
LocalSecond first_open_second(Instant after, const TimeZone& zone);

}  // namespace metrics_refresh::core
