// Skips a due time of a job if it has nothing to do.
#pragma once

#include "worker/work.hpp"

namespace metrics_refresh::worker {

/// Returns true if no view of the job needs a refresh. Then the due time passes without a run, and
/// nothing is written to the log. After a failure there is always a run, whose success is logged.
/// REQUIRES: a transaction.
bool skip_due_time(pg::Spi& spi, const store::RunHead& head, const Task& task);

}  // namespace metrics_refresh::worker
