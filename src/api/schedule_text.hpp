// Schedules and blackout windows as users type them: core's parsers, with their errors as SQL
// errors.
#pragma once

#include "core/schedule/timetable.hpp"

#include <optional>
#include <string>
#include <vector>

namespace metrics_refresh::api {

/// When a job shall be due, as it is written down.
struct TimesText {
  std::string job_name;  // chooses what `H` stands for
  std::optional<std::string> schedule;
  std::optional<std::string> timezone;  // none: the setting metrics_refresh.timezone
  std::optional<core::Instant> starts_at;
  std::optional<core::Instant> ends_at;
  std::vector<std::string> blackout;
  std::optional<core::Instant> last_end = std::nullopt;  // of the previous run, for `@after`
};

/// Throws pg::SqlError 22023 that names the field, the position and what is allowed.
core::Schedule parse_schedule(const std::string& text, const std::string& job_name);
/// So does this, and for more than 100 windows.
std::vector<core::Blackout> parse_blackouts(const std::vector<std::string>& windows);

/// Without jitter. Throws pg::SqlError 22023 for what cannot be parsed, a zone that the server does
/// not know, and an end that is not after the start. REQUIRES: there is a schedule.
core::Timetable parse_times(const TimesText& times);

/// True where its blackout windows leave no due time after `now`; its end is of no interest here.
bool is_never_due(core::Timetable timetable, core::Instant now);

/// Throws as parse_times() does, whether or not there is a schedule, and where it
/// is_never_due().
void check_times(const TimesText& times, core::Instant now);

}  // namespace metrics_refresh::api
