// Schedules as users type them: core's parser, with its errors as SQL errors.
#pragma once

#include <optional>
#include <string>

#include "core/schedule.hpp"

namespace metrics_refresh::api {

/// Throws pg::SqlError 22023 that names the field, the position and what is allowed.
core::Schedule parse_schedule(const std::string& text);

/// Throws pg::SqlError 22023 where there is a schedule that cannot be parsed or a zone that the
/// server does not know.
void check_times(const std::optional<std::string>& schedule,
                 const std::optional<std::string>& timezone);

}  // namespace metrics_refresh::api
