// Schedules as users type them: core's parser, with its errors as SQL errors.
#pragma once

#include <string>

#include "core/schedule.hpp"

namespace metrics_refresh::api {

/// Throws pg::SqlError 22023 that names the field, the position and what is allowed.
core::Schedule parse_schedule(const std::string& text);

}  // namespace metrics_refresh::api
