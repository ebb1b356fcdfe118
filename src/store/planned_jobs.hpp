// The table job as the scheduler reads it: the columns that it needs to plan, and those that it
// keeps for each job. Commands, settings and other columns that an owner can make long stay in the
// table.
#pragma once

#include "core/scheduler/scheduler_events.hpp"

#include <optional>
#include <string>
#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// The properties of an owner that affect the plan of its jobs.
struct OwnerRights {
  bool limited = false;  // not a superuser
  bool admin = false;    // extension::is_admin()

  bool operator==(const OwnerRights& other) const noexcept {
    return limited == other.limited && admin == other.admin;
  }
};

/// The rights at this moment. REQUIRES: a transaction.
OwnerRights rights_of_owner(Oid owner);

/// The data that a run is started with: owner, view and kind.
struct PlannedJob : BoundView {
  core::JobId id = 0;
  bool has_command = false;
  bool repeatable_read = false;
  bool one_time = false;  // removed with the end of its run
  OwnerRights rights;     // when the job was read

  bool is_refresh() const { return !view_name.empty(); }
  bool is_command() const { return has_command; }
  bool is_group() const { return !is_refresh() && !is_command(); }
};

/// A job with its schedule. The texts of the schedule are not parsed yet.
struct JobToPlan {
  PlannedJob planned;
  JobTimes times;
  core::Job plan;  // without its timetable
};

/// All jobs, or those of `ids`, by id. If the owner is no admin (extension::is_admin) at this
/// moment, a priority above 0 counts as 0.
std::vector<JobToPlan> load_jobs_to_plan(pg::Spi& spi);
std::vector<JobToPlan> load_jobs_to_plan(pg::Spi& spi, const std::vector<std::int64_t>& ids);

}  // namespace metrics_refresh::store
