// A due time at which a job has nothing to do.
#pragma once

#include "worker/work.hpp"

namespace metrics_refresh::worker {

/// Lets a due time pass without a run where none of the job's views needs one, and says so. Nothing
/// is written; so after a failure there is a run, whose success is logged. REQUIRES: a transaction.
bool skip_due_time(pg::Spi& spi, const store::RunHead& head, const Task& task);

}  // namespace metrics_refresh::worker
