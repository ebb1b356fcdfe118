// The run of a group. One worker plans it, any workers perform its members, and the worker of the
// last member closes it. The tables always hold the state of the run, so it continues after the end
// of a worker, the scheduler or the server.
#pragma once

#include <string>

#include "store/groups.hpp"

namespace metrics_refresh::worker {

/// The plan of a run. `reason` says why the run must not begin: the group has no views, or a limit
/// of members or dependencies is exceeded. Otherwise there is none.
struct GroupPlan {
  std::vector<store::Member> members;
  std::optional<store::RunError> reason;
};

/// Plans the members that this run must refresh, in the order of their dependencies. A retry omits
/// the members that the previous attempts have refreshed. The names of views are resolved like
/// those of jobs.
GroupPlan plan_group(pg::Spi& spi, const store::JobRecord& group, std::int64_t group_run_id,
                     int attempt);

/// The head of the log row of a member without a run of its own: it was skipped, or the run of the
/// group refreshes it.
store::RunHead head_of_member(const store::Member& member, const std::string& job_name,
                              core::Instant started);

/// Logs the members of a group on one snapshot that was rolled back. The member `culprit` gets the
/// outcome, and the others are skipped.
void log_rolled_back(pg::Spi& spi, const std::string& job_name,
                     const std::vector<store::Member>& members, int culprit,
                     const store::Outcome& outcome);

/// Ends a member with `state` (success, failed, skipped or canceled), and logs the members that
/// cannot begin because of it. If it was the last member, closes the run of the group. REQUIRES:
/// the transaction that logs the outcome of the member.
void finish_member(pg::Spi& spi, const store::Member& member, store::MemberState state);

/// Cancels the members that have not begun. If none is under way, closes the run as canceled, or
/// with the outcome `ended`.
void cancel_group(pg::Spi& spi, std::int64_t group_run_id, const store::Outcome* ended = nullptr);

/// The time of the next attempt after a failure, or nothing. REQUIRES: a run of a schedule or a
/// retry of one.
std::optional<core::Retry> plan_retry(const store::JobRecord& job, int attempt, core::Instant due);

}  // namespace metrics_refresh::worker
