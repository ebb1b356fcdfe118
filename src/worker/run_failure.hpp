// What becomes of a run that failed: its outcome, whether it is tried again, and how both are
// logged whoever stands in the way for a moment.
#pragma once

#include "worker/work.hpp"

namespace metrics_refresh::worker {

/// The outcome of the exception being handled, which ended the slot's run.
store::Outcome failed(int slot, const shmem::Assignment& run, const store::JobRecord& job);

/// How the run of a group ends whose plan has just been committed: a cancel or the end of
/// max_runtime that came meanwhile has ended no more than the commit's wait for a standby. Nothing
/// where it goes on. Its limits are in force again.
std::optional<store::Outcome> end_of_opened(int slot, const shmem::Assignment& run,
                                            const Task& task);

/// Says in the hint where a function of a view has failed because of a fixed search_path. REQUIRES:
/// no transaction.
void hint_at_missing_name(const Task& task, store::Outcome& outcome);

/// Logs it. Throws where that cannot be done, after some tries where locks are the reason.
void log_failure(const Task& task, const store::Outcome& outcome);

}  // namespace metrics_refresh::worker
