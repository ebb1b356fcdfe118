// The table group_run_member: the plan of a group's run and how far it has come. Whoever changes a
// member's state holds the group's row of run_log (lock_group), so that of two workers that end the
// last two members exactly one sees that all have ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/runs.hpp"

namespace metrics_refresh::store {

/// A member of a group's run.
struct Member : BoundView {
  std::int64_t job_id = 0;  // of the group
  std::int64_t group_run_id = 0;
  int number = 0;
  std::vector<int> waits_for;

  std::string view() const { return view_schema + "." + view_name; }
};

/// Views that a group may have, and ways in which they may depend on each other: what is open of a
/// group's run, the scheduler keeps in memory.
inline constexpr int kMaxMembers = 10'000;
inline constexpr int kMaxDependencies = 100'000;

/// The views that a group names: those of its schema, or those listed. Numbers count from 0. Of too
/// many, kMaxMembers + 1.
std::vector<Member> named_members(pg::Spi& spi, const JobRecord& group,
                                  Reads reads = Reads::kTables);
/// Writes down which view a listed member turned out to mean. Waits for nobody.
void bind_member(pg::Spi& spi, std::int64_t job_id, const Member& before, const Member& now);
/// The views that earlier attempts at the same due time have refreshed.
std::vector<std::string> refreshed_before(pg::Spi& spi, std::int64_t job_id,
                                          std::int64_t group_run_id);
/// Which of these views reads which, directly or through plain views: pairs (dependent, referenced)
/// of their places in `views`. Of too many, kMaxDependencies + 1.
std::vector<std::pair<int, int>> dependencies(pg::Spi& spi, const std::vector<Oid>& views);

/// Writes the plan: the run goes on in its members.
void open_group(pg::Spi& spi, const std::vector<Member>& members);

/// A group's run that is open, with its members that have not begun.
struct OpenGroup {
  std::int64_t job_id;
  std::int64_t group_run_id;
  std::vector<Member> pending;
};
std::vector<OpenGroup> load_open_groups(pg::Spi& spi);
/// Members of the group runs under way, of the groups that the role owns; ended ones, too, until
/// their group's run is over.
std::int64_t count_open_members(pg::Spi& spi, Oid owner, Reads reads = Reads::kTables);
/// True where this is the run of a group that goes on in its members.
bool is_open_group(pg::Spi& spi, std::int64_t run_id);

/// The member, which stays as it is until the transaction ends. Nothing where it is not pending any
/// more.
std::optional<Member> find_pending(pg::Spi& spi, std::int64_t group_run_id, int number);
/// True where all that it waits for have succeeded.
bool may_begin(pg::Spi& spi, const Member& member);
/// Marks it as running, under this run.
void begin_member(pg::Spi& spi, const Member& member, std::int64_t run_id);
/// The member that runs under this run.
std::optional<Member> find_member_of_run(pg::Spi& spi, std::int64_t run_id);

/// Waits for whoever is just changing members of the group's run.
void lock_group(pg::Spi& spi, std::int64_t group_run_id);
/// `state` is success, failed, skipped or canceled. Returns the members that wait for this one,
/// directly or not, and so will not begin: none where it is success, else they are marked as
/// skipped. REQUIRES: lock_group().
std::vector<Member> end_member(pg::Spi& spi, const Member& member, const char* state);
/// Marks the members that have not begun as canceled. REQUIRES: lock_group().
void cancel_pending(pg::Spi& spi, std::int64_t group_run_id);

/// How a group's run went.
struct GroupResult {
  std::int64_t job_id = 0;
  int members = 0;
  int failed = 0;
  int skipped = 0;
  int canceled = 0;
  std::vector<std::string> failed_views;
  std::optional<RunError> first_error;
  bool permanent = false;   // an error of one of them will come again
  std::int64_t missed = 0;  // due times that passed while a member was under way
  core::Instant due;
  int attempt = 1;
  bool manual = false;
};
/// The result, where no member is pending or running any more; the plan is then removed.
/// REQUIRES: lock_group().
std::optional<GroupResult> take_result(pg::Spi& spi, std::int64_t group_run_id);

/// What the members' rows repeat of their group's.
struct GroupHead {
  std::string job_name;
  bool manual = false;
  std::string initiated_by;
  int attempt = 1;
};
GroupHead head_of_group(pg::Spi& spi, std::int64_t group_run_id);

}  // namespace metrics_refresh::store
