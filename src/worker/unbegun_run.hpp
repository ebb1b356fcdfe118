// Logs a run that did not begin. Its worker died before the first row of the run was committed, or
// could not write that row for a permanent reason.
#pragma once

#include "shmem/worker_slots.hpp"
#include "store/runs.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

/// Logs the run with its outcome. Does nothing if it is logged already, or if another session is
/// withdrawing its request. The due time counts as handled. REQUIRES: no transaction.
Attempt log_unbegun(const char* lock_timeout, const shmem::Assignment& run,
                    const store::Outcome& outcome);

/// The head of the log row of a run, except the worker and the role that requested the run.
store::RunHead head_of(const shmem::Assignment& run, const store::JobRecord& job,
                       core::Instant started);

/// The state of a member whose run ended with `status`.
store::MemberState state_of_member(store::RunStatus status);

/// The result of a run that cannot begin because of the exception that is being handled. If the
/// reason is permanent, the failure is logged.
shmem::RunResult not_begun(const shmem::Assignment& run);

}  // namespace metrics_refresh::worker
