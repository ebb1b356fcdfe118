// Handles a failed run: it determines the outcome and the retry, and logs both. If another session
// holds a lock for a moment, the log is tried again.
#pragma once

#include "worker/work.hpp"

namespace metrics_refresh::worker {

/// The outcome of the run of the slot, for the exception that is being handled.
store::Outcome failed(int slot, const shmem::Assignment& run, const store::JobRecord& job);

/// The outcome of the run of a group if a limit ended it during the commit of its plan, or nothing
/// if it continues. During the commit, a cancel ends only the wait for a standby. Afterwards the
/// limits are in force again.
std::optional<store::Outcome> end_of_opened(int slot, const shmem::Assignment& run,
                                            const Task& task);

/// Adds a hint if a function of the view failed because of the fixed search_path. REQUIRES: no
/// transaction.
void hint_at_missing_name(const Task& task, store::Outcome& outcome);

/// Logs the outcome. Throws if that fails. If a lock is the reason, it throws after several tries.
void log_failure(const Task& task, const store::Outcome& outcome);

}  // namespace metrics_refresh::worker
