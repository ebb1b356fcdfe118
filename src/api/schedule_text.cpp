#include "api/schedule_text.hpp"

#include "pg/guard.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::api {

core::Schedule parse_schedule(const std::string& text) {
  try {
    return core::Schedule::parse(text);
  } catch (const core::ScheduleError& error) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "invalid schedule \"" + text + "\": " + error.what(), error.hint(),
                       "At character " + std::to_string(error.position()) + ".");
  }
}

void check_times(const std::optional<std::string>& schedule,
                 const std::optional<std::string>& timezone) {
  if (schedule) (void)parse_schedule(*schedule);
  if (timezone) (void)pg::time_zone(*timezone);
}

}  // namespace metrics_refresh::api
