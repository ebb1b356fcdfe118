// Schedules and blackout windows as users write them: the parsers of core, with SQL errors.
#pragma once

#include "core/schedule/timetable.hpp"

#include <optional>
#include <string>
#include <vector>

namespace metrics_refresh::api {

/// The columns that determine the due times of a job, as text.
struct TimesText {
  std::string job_name;  // chooses the value of `H`
  std::optional<std::string> schedule;
  std::optional<std::string> timezone;  // none: the setting metrics_refresh.timezone
  std::optional<core::Instant> starts_at;
  std::optional<core::Instant> ends_at;
  std::vector<std::string> blackout;
  std::optional<core::Instant> last_end = std::nullopt;  // of the previous run, for `@after`
};

/// Throws pg::SqlError 22023 with the field, the position and the allowed values.
core::Schedule parse_schedule(const std::string& text, const std::string& job_name);
/// Throws the same error, also for more than 100 windows.
std::vector<core::Blackout> parse_blackouts(const std::vector<std::string>& windows);

/// The timetable without jitter. Throws pg::SqlError 22023 if a text cannot be parsed or the server
/// does not know the zone. The same if the end is not after the start. REQUIRES: there is a
/// schedule.
core::Timetable parse_times(const TimesText& times);

/// True if the blackout windows leave no due time after `now`. The end of the timetable is ignored.
bool is_never_due(core::Timetable timetable, core::Instant now);

/// Throws the errors of parse_times(), with or without a schedule, and an error if the job
/// is_never_due().
void check_times(const TimesText& times, core::Instant now);

}  // namespace metrics_refresh::api
