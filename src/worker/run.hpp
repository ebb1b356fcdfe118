// Performs one run in a worker, from the `running` row in the log to the outcome:
//   1. A transaction commits the `running` row, so that a crash leaves a trace.
//   2. A transaction does the work and writes `success`. The work is committed if and only if its
//      success is logged.
//   3. If the second one fails, it is aborted, and a third transaction writes the error.
#pragma once

#include "shmem/worker_slots.hpp"

namespace metrics_refresh::worker {

/// Performs the run that was assigned to the slot. An error of the work is logged and not thrown.
/// Throws if the outcome cannot be written. The run of a group is only planned, and continues in
/// its members (group_run.hpp).
shmem::RunResult carry_out(int slot, const shmem::Assignment& run);

}  // namespace metrics_refresh::worker
