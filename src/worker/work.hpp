// The work of one run, in a transaction of its own: a refresh, a command, or all members of a group
// on one snapshot. Success is logged in that same transaction; after a command that has ended
// transactions by itself, in the one that follows.
#pragma once

#include <optional>
#include <vector>

#include "shmem/worker_slots.hpp"
#include "store/groups.hpp"

namespace metrics_refresh::worker {

/// What is to be done, as the transaction before it found out (run.cpp).
struct Task {
  store::JobRecord job;
  std::int64_t run_id = 0;                 // 0: there is nothing to do
  Oid view = InvalidOid;                   // of a refresh
  std::optional<store::Member> member;     // of a group's run, that this is
  std::vector<store::Member> members;      // of a group that is refreshed on one snapshot
  int at_member = -1;                      // the one of them that is being worked on
  std::string not_incremental;             // why a view could not be set up for its job's strategy
  std::optional<store::RunError> refused;  // why the work must not even be tried
  bool ended = false;                      // that its limits ended it while it began
  bool opened = false;                     // a group's run, which goes on in its members
};

/// Does the work, within the limits that start_limits() has set, and logs its success. Throws
/// whatever goes wrong; then nothing of it remains but what a command has committed by itself, and
/// `at_member` says where.
void do_work(int slot, Task& task, const store::UsageMeter& meter);

/// True where the job's strategy allows to skip all of these views now, for nothing has changed.
/// Waits for no lock but a moment; whatever stands in the way is for the refresh to meet. REQUIRES:
/// a transaction.
bool are_fresh(const store::JobRecord& job, const std::vector<Oid>& views);

/// What the slot counted during the run, and what the run consumed.
void add_measures(int slot, const store::UsageMeter& meter, store::Outcome& outcome);

}  // namespace metrics_refresh::worker
