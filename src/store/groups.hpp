// The table group_run_member: the plan of a group's run and its progress. A caller that changes the
// state of a member holds the lock on the group's row of run_log (lock_group). If two workers end
// the last two members at the same time, exactly one of them therefore sees that all have ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/runs.hpp"

namespace metrics_refresh::store {

/// A member of a group's run.
struct Member : BoundView {
  std::int64_t job_id = 0;  // the job of the group
  std::int64_t group_run_id = 0;
  int number = 0;
  std::vector<int> waits_for;

  std::string view() const { return view_schema + "." + view_name; }
};

/// Limits for the members of a group and for the dependencies between them. The scheduler keeps the
/// open part of each group's run in memory.
inline constexpr int kMaxMembers = 10'000;
inline constexpr int kMaxDependencies = 100'000;

/// The views that a group names: those of its schema, or those listed. Numbers count from 0. If
/// there are too many, kMaxMembers + 1 of them are returned.
std::vector<Member> members_of_group(pg::Spi& spi, const JobRecord& group,
                                     Reads reads = Reads::kTables);
/// Stores the view that a listed member refers to now. Does not wait for locks.
void bind_member(pg::Spi& spi, std::int64_t job_id, const Member& before, const Member& now);
/// The views that were refreshed by earlier attempts at the same due time.
std::vector<std::string> refreshed_before(pg::Spi& spi, std::int64_t job_id,
                                          std::int64_t group_run_id);
/// The dependencies between these views, direct or through plain views: pairs (dependent,
/// referenced) of positions in `views`. If there are too many, kMaxDependencies + 1 of them are
/// returned.
std::vector<std::pair<int, int>> dependencies(pg::Spi& spi, const std::vector<Oid>& views);

/// Writes the plan. From then on the run consists of the runs of its members.
void open_group(pg::Spi& spi, const std::vector<Member>& members);

/// An open run of a group, with the members that have not begun.
struct OpenGroup {
  std::int64_t job_id;
  std::int64_t group_run_id;
  std::vector<Member> pending;
};
std::vector<OpenGroup> load_open_groups(pg::Spi& spi);
/// Counts the members of open group runs whose groups the role owns. Members that have ended count
/// until the run of their group is over.
std::int64_t count_open_members(pg::Spi& spi, Oid owner, Reads reads = Reads::kTables);
/// True if this is the run of a group whose members are still under way.
bool is_open_group(pg::Spi& spi, std::int64_t run_id);

/// The member, locked until the transaction ends, or nothing if it is no longer pending.
std::optional<Member> find_pending(pg::Spi& spi, std::int64_t group_run_id, int number);
/// True if all members that it waits for have succeeded.
bool may_begin(pg::Spi& spi, const Member& member);
/// Marks the member as running, under this run.
void begin_member(pg::Spi& spi, const Member& member, std::int64_t run_id);
/// The member that this run refreshes.
std::optional<Member> find_member_of_run(pg::Spi& spi, std::int64_t run_id);

/// Takes the lock that protects the members' states. Waits if another worker holds it.
void lock_group(pg::Spi& spi, std::int64_t group_run_id);
/// Unless `state` is kSuccess, all members that wait for this one, directly or indirectly, are
/// marked as skipped and returned. REQUIRES: lock_group().
std::vector<Member> end_member(pg::Spi& spi, const Member& member, MemberState state);
/// Marks the members that have not begun as canceled. REQUIRES: lock_group().
void cancel_pending(pg::Spi& spi, std::int64_t group_run_id);

/// The totals of a group's run.
struct GroupResult {
  std::int64_t job_id = 0;
  int members = 0;
  int failed = 0;
  int skipped = 0;
  int canceled = 0;
  std::vector<std::string> failed_views;
  std::optional<RunError> first_error;
  bool permanent = false;   // an error of one member that will occur again
  std::int64_t missed = 0;  // due times that passed while a member was under way
  core::Instant due;
  int attempt = 1;
  bool manual = false;
};
/// The result, if no member is pending or running any more; the plan is then deleted. REQUIRES:
/// lock_group().
std::optional<GroupResult> take_result(pg::Spi& spi, std::int64_t group_run_id);

/// The columns that the rows of the members copy from the row of their group.
struct GroupHead {
  std::string job_name;
  bool manual = false;
  std::string initiated_by;
  int attempt = 1;
};
GroupHead head_of_group(pg::Spi& spi, std::int64_t group_run_id);

}  // namespace metrics_refresh::store
