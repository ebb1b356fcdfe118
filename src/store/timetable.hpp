// The timetable of a job.
#pragma once

#include "core/schedule/timetable.hpp"

#include <optional>

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// Nothing if the job has no schedule. Throws core::ScheduleError if a text cannot be parsed, and
/// pg::SqlError 22023 if the server does not know the time zone.
std::optional<core::Timetable> timetable_of(const JobTimes& job);

}  // namespace metrics_refresh::store
