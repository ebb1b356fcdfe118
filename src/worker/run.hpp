// One run in a worker, from the `running` row to the outcome:
//   1. a transaction that commits the `running` row, so that a crash can be told;
//   2. the transaction of the work itself, which writes `success` too: logged if and only if
//      committed;
//   3. where that one fails, it is aborted and a third writes what went wrong.
#pragma once

#include "shmem/worker_slots.hpp"

namespace metrics_refresh::worker {

/// Carries out what the slot was assigned. An error of the work is logged and is no error here;
/// throws where the outcome cannot be written. A group's run is planned only, and goes on in its
/// members (group_run.hpp).
shmem::RunResult carry_out(int slot, const shmem::Assignment& run);

}  // namespace metrics_refresh::worker
