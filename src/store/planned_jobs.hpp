// The table job as the scheduler reads it: what it needs to plan, and what it keeps of each job.
// Commands, settings and all else that an owner can make long stay in the table.
#pragma once

#include "core/scheduler/scheduler_events.hpp"

#include <optional>
#include <string>
#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// On which the plan of an owner's jobs depends.
struct OwnerRights {
  bool limited = false;  // he is no superuser
  bool admin = false;    // pg::is_admin()

  bool operator==(const OwnerRights& other) const noexcept {
    return limited == other.limited && admin == other.admin;
  }
};

/// At this moment. REQUIRES: a transaction.
OwnerRights rights_of_owner(Oid owner);

/// What hands a run over: whose it is and which kind.
struct PlannedJob : BoundView {
  core::JobId id = 0;
  bool has_command = false;
  bool repeatable_read = false;
  bool one_time = false;  // removed with the end of its run
  OwnerRights rights;     // when it was read

  bool is_refresh() const { return !view_name.empty(); }
  bool is_command() const { return has_command; }
  bool is_group() const { return !is_refresh() && !is_command(); }
};

/// A job with what says when it runs; its times are yet to be parsed.
struct JobToPlan {
  PlannedJob kept;
  JobTimes times;
  core::Job plan;  // without its timetable
};

/// All jobs, or those of `ids`, by id. A priority above 0 counts as 0 where the owner is not an
/// admin (pg::is_admin) at this moment.
std::vector<JobToPlan> load_jobs_to_plan(pg::Spi& spi);
std::vector<JobToPlan> load_jobs_to_plan(pg::Spi& spi, const std::vector<std::int64_t>& ids);

}  // namespace metrics_refresh::store
