// Parses schedules for SQL functions. core reports errors as ScheduleError with a position. Here
// they become SQL errors with detail and hint.
#include "api/schedule_text.hpp"

#include <algorithm>

#include "core/schedule/schedule_text.hpp"
#include "extension/settings.hpp"
#include "pg/guard.hpp"
#include "pg/time.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::api {
namespace {

template <typename Parse>
auto or_sql_error(const char* what, const std::string& text, Parse parse) {
  try {
    return parse();
  } catch (const core::ScheduleError& error) {
    // A text beyond the limit would only clutter the message.
    const bool is_long = text.size() > core::kMaxScheduleLength;
    throw pg::SqlError(
        ERRCODE_INVALID_PARAMETER_VALUE,
        "invalid " + std::string(what) + (is_long ? "" : " \"" + text + '"') + ": " + error.what(),
        error.hint(), "At character " + std::to_string(error.position()) + ".");
  }
}

void check_bounds(const TimesText& times) {
  if (times.starts_at && times.ends_at && *times.starts_at >= *times.ends_at)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "ends_at must be later than starts_at",
                       "The job would never be due. To stop its runs, pause it.");
}

}  // namespace

core::Schedule parse_schedule(const std::string& text, const std::string& job_name) {
  return or_sql_error("schedule", text, [&] {
    return core::Schedule::parse(text, {job_name, pg::server_start()});
  });
}

std::vector<core::Blackout> parse_blackouts(const std::vector<std::string>& windows) {
  // The CHECK constraint of the table has the same limit.
  constexpr std::size_t kMost = 100;
  if (windows.size() > kMost)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "blackout must not have more than " + std::to_string(kMost) + " windows",
                       "Each window is checked for every due time.");
  std::vector<core::Blackout> blackouts;
  for (const std::string& window : windows)
    blackouts.push_back(
        or_sql_error("blackout window", window, [&] { return core::Blackout::parse(window); }));
  return blackouts;
}

core::Timetable parse_times(const TimesText& times) {
  check_bounds(times);
  core::Timetable timetable{parse_schedule(times.schedule.value(), times.job_name),
                            &settings::time_zone_or_default(times.timezone.value_or("")),
                            times.starts_at,
                            times.ends_at,
                            parse_blackouts(times.blackout),
                            {}};
  timetable.last_end = times.last_end;
  return timetable;
}

bool is_never_due(core::Timetable timetable, core::Instant now) {
  // Without blackout windows the parser has already excluded schedules that are never due.
  if (timetable.blackouts.empty() || timetable.schedule.is_due_at_server_start()) return false;
  timetable.ends_at.reset();
  return !timetable.next_after(std::max(now, timetable.starts_at.value_or(now)));
}

void check_times(const TimesText& times, core::Instant now) {
  check_bounds(times);
  // Checked even if there is no schedule: one may be added later.
  if (times.timezone) (void)pg::time_zone(*times.timezone);
  if (!times.schedule) {
    (void)parse_blackouts(times.blackout);
    return;
  }
  if (is_never_due(parse_times(times), now))
    throw pg::SqlError(
        ERRCODE_INVALID_PARAMETER_VALUE,
        "the blackout windows leave no due time of the schedule \"" + *times.schedule + "\"",
        "next_due() tells when a job is due first; leave a gap for its schedule.");
}

}  // namespace metrics_refresh::api
