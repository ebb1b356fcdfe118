// The limits of the run of this worker: its max_runtime, and cancel requests. Both cancel the query
// of the run by SIGINT. If the run continues for metrics_refresh.cancel_grace after that, SIGTERM
// terminates the worker, because no code of the run can catch that. The scheduler sends it when the
// time in the slot has come. For max_runtime a timer of the worker does the same, in case that no
// scheduler runs.
#pragma once

#include "core/instant.hpp"
#include "shmem/worker_slots.hpp"
#include "store/jobs.hpp"

namespace metrics_refresh::worker {

/// The max_runtime of the job. If its owner is not a superuser, it is at most
/// metrics_refresh.max_job_runtime. REQUIRES: a transaction.
core::Duration max_runtime_of(const store::JobRecord& job);

/// Puts the limits of a new run in force. From here on it can be canceled. Throws SqlError 57014 if
/// it was canceled before.
void start_limits(int slot, core::Duration max_runtime);

/// Puts the limits in force again after they were lifted, or after an abort has stopped the timers.
/// Throws SqlError 57014 if a limit was reached meanwhile.
void resume_limits(int slot);

/// Ends the limits when the run is over, or when only its log remains to be written.
void lift_limits(int slot);

/// True if the run was canceled or has exceeded its max_runtime.
bool is_to_end(int slot);
bool exceeded_max_runtime();

/// The reason of the exit of this process if a timer of its own ended it, otherwise kNone.
shmem::EndReason own_end_reason();

}  // namespace metrics_refresh::worker
