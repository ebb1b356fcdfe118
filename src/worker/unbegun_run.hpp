// The log of a run that did not begin: its worker died before it had committed the run's first row,
// or could not write that for a reason which stays.
#pragma once

#include "shmem/worker_slots.hpp"
#include "store/runs.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

/// Logs it with its end, unless it is logged already or somebody withdraws it at this moment; its
/// due time counts as served. REQUIRES: as for with_own_tables().
Attempt log_unbegun(const char* lock_timeout, const shmem::Assignment& run,
                    const store::Outcome& outcome);

/// What the row of the job's run says from the beginning, but for the worker and who asked for it.
store::RunHead head_of(const shmem::Assignment& run, const store::JobRecord& job,
                       core::Instant started);

/// The state of a member whose run ended so.
store::MemberState state_of_member(store::RunStatus status);

/// What becomes of a run that cannot begin, for the exception being handled. Says so in the log
/// where the reason does not go away by itself.
shmem::RunResult not_begun(const shmem::Assignment& run);

}  // namespace metrics_refresh::worker
