// Performs the work of one run: a refresh, a command, or all members of a group on one snapshot.
// The success is logged in the same transaction. If a command ends transactions itself, the success
// is logged in the last one.
#pragma once

#include <optional>
#include <vector>

#include "shmem/worker_slots.hpp"
#include "store/groups.hpp"

namespace metrics_refresh::worker {

/// The work to do, as the first transaction of the run has determined it (run.cpp).
struct Task {
  store::JobRecord job;
  std::int64_t run_id = 0;                // 0: there is nothing to do
  Oid view = InvalidOid;                  // of a refresh
  std::optional<store::Member> member;    // of a group's run, that this is
  std::vector<store::Member> members;     // of a group that is refreshed on one snapshot
  int at_member = -1;                     // the one of them that is being worked on
  std::string not_incremental_reason;     // why a view could not be set up for its job's strategy
  std::optional<store::RunError> reason;  // why the work must not even be tried
  bool ended = false;                     // its limits ended it while it began
  bool opened = false;                    // a group's run, which goes on in its members
};

/// Does the work within the limits that start_limits() has set, and logs its success. Throws the
/// error of the work. Then everything is rolled back, except transactions that a command has
/// committed itself. `at_member` is the member that failed.
void do_work(int slot, Task& task, const store::UsageMeter& meter);

/// True if nothing has changed and the strategy of the job allows a skip of all these views. Waits
/// only a short time for locks. Returns false after an error, which the refresh will then report.
/// REQUIRES: a transaction.
bool are_fresh(const store::JobRecord& job, const std::vector<Oid>& views);

/// Adds the missed due times that the slot has counted, the resources used, and the notices.
void add_measures(int slot, const store::UsageMeter& meter, store::Outcome& outcome);

}  // namespace metrics_refresh::worker
