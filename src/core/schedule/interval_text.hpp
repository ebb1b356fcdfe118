// The texts of an interval: words (`1 hour 30 minutes`, as PostgreSQL reads them), a clock's
// (`01:30:00`), short ones (`1h30m`, as Go writes them) and ISO 8601 (`PT1H30M`).
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>

#include "core/schedule/interval.hpp"
#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {

/// Whether the words can only be meant for an interval, though nothing says so: no cron expression
/// begins like that.
bool is_interval(const Words& words);

/// Reads the words from the one numbered `first` on. Years count as months; a length is made of
/// months, of weeks, of days, or of hours, minutes and seconds, each once. Throws ScheduleError for
/// anything else, for fractions and signs, and for what is shorter than a second or longer than ten
/// years. REQUIRES: there are words.
Interval parse_interval(const Words& words, std::size_t first);

}  // namespace metrics_refresh::core
