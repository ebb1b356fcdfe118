// The text formats of an interval: words as in PostgreSQL (`1 hour 30 minutes`), a clock time
// (`01:30:00`), the short form of Go (`1h30m`) and ISO 8601 (`PT1H30M`).
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>

#include "core/schedule/interval.hpp"
#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {

/// Returns whether the words can only be an interval, even without `@every` in front. No cron
/// expression begins in this way.
bool is_interval(const Words& words);

/// Reads the words from number `first` on. Years count as months. A length consists of months, of
/// weeks, of days, or of hours, minutes and seconds. Each unit occurs at most once. Throws
/// ScheduleError for any other text, for fractions and signs, and for lengths of less than a second
/// or more than ten years. REQUIRES: there is at least one word.
Interval parse_interval(const Words& words, std::size_t first);

}  // namespace metrics_refresh::core
