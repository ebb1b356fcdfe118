// When a job of the table is due.
#pragma once

#include "core/schedule/timetable.hpp"

#include <optional>

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// Nothing for a job without a schedule. Throws core::ScheduleError for a text that cannot be
/// parsed and pg::SqlError 22023 for a zone that the server does not know.
std::optional<core::Timetable> timetable_of(const JobTimes& job);

}  // namespace metrics_refresh::store
