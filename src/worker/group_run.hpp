// The run of a group: planned by one worker, carried out member by member by any, closed by
// whoever ends its last member. What it has come to is in the tables at every moment, so it goes on
// when a worker, the scheduler or the server ends.
#pragma once

#include <string>

#include "store/groups.hpp"

namespace metrics_refresh::worker {

/// Why a group's run must not even be planned or begun: there is more of it than one group, or than
/// all of its owner's together, may have.
struct GroupPlan {
  std::vector<store::Member> members;
  std::optional<store::RunError> refused;
};

/// The members that this run shall refresh, in the order of their dependencies; a retry leaves out
/// those that the run before has refreshed. Views are bound by name as a job's is.
GroupPlan plan_group(pg::Spi& spi, const store::JobRecord& group, std::int64_t group_run_id,
                     int attempt);

/// The head of a log row of a member that has no run of its own: it was skipped, or the group's own
/// run refreshes it.
store::RunHead head_of_member(const store::Member& member, const std::string& job_name,
                              core::Instant started);

/// Logs the members of a group that was refreshed on one snapshot, of which nothing remains: one of
/// them is the culprit and has the outcome, the others are skipped.
void log_rolled_back(pg::Spi& spi, const std::string& job_name,
                     const std::vector<store::Member>& members, int culprit,
                     const store::Outcome& outcome);

/// Notes that a member's run ended (`state`: success, failed, skipped or canceled), logs the
/// members that will not begin because of it, and closes the group's run where it was the last. In
/// the transaction that logs the member's own outcome.
void finish_member(pg::Spi& spi, const store::Member& member, store::MemberState state);

/// Cancels the members that have not begun, and closes the run where none is under way: as
/// canceled, or as `ended` says.
void cancel_group(pg::Spi& spi, std::int64_t group_run_id, const store::Outcome* ended = nullptr);

/// When this failed run is tried again, or nothing. Only for runs of a schedule and their retries.
std::optional<core::Retry> plan_retry(const store::JobRecord& job, int attempt, core::Instant due);

}  // namespace metrics_refresh::worker
