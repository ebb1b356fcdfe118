// The limits of the run that this process serves: its max_runtime and cancel(). Both cancel the
// run's query (SIGINT); what goes on for metrics_refresh.cancel_grace after that is terminated with
// its worker (SIGTERM), which no code of the run's can catch. The scheduler sees to that by what
// stands in the slot; for max_runtime the worker's own timer does as well, should there be no
// scheduler.
#pragma once

#include "core/instant.hpp"
#include "shmem/worker_slots.hpp"
#include "store/jobs.hpp"

namespace metrics_refresh::worker {

/// What a run of the job may take: its max_runtime, and for an owner who is no superuser no more
/// than metrics_refresh.max_job_runtime. REQUIRES: a transaction.
core::Duration max_runtime_of(const store::JobRecord& job);

/// A run begins that may take so long. From here on it can be canceled. Throws the cancel that came
/// before.
void start_limits(int slot, core::Duration max_runtime);

/// The limits are in force again, after they were lifted or an abort has stopped the timers. Throws
/// the cancel that came meanwhile.
void resume_limits(int slot);

/// The run is over, or what follows is the log's alone.
void lift_limits(int slot);

/// True where the run has been canceled or has exceeded its max_runtime.
bool is_to_end(int slot);
bool exceeded_max_runtime();

/// Why this process exits, where it is its own timer that ends it.
shmem::EndReason own_end_reason();

}  // namespace metrics_refresh::worker
