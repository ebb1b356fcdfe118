#include "api/schedule_text.hpp"

#include "pg/guard.hpp"

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

}  // namespace metrics_refresh::api
