// What becomes of a run that failed: its outcome, whether it is tried again, and how both are
// logged whoever stands in the way for a moment.
#pragma once

#include "worker/work.hpp"

namespace metrics_refresh::worker {

/// The outcome of the exception being handled, which ended the slot's run.
store::Outcome failed(int slot, const shmem::Assignment& run, const store::JobRecord& job);

/// Logs it. Throws where that cannot be done, after some tries where locks are the reason.
void log_failure(const Begun& begun, const store::Outcome& outcome);

}  // namespace metrics_refresh::worker
