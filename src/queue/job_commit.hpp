// Commits the transaction of jobs. Before any other process can look, shared memory knows that the
// jobs have committed, so that they are not given back if this process ends.
#pragma once

#include "pg/job_transaction.hpp"
#include "shmem/queue/place.hpp"

namespace metrics_refresh::queue {

/// As commit_job_transaction(). The transaction contains the end of this job; 0: of all jobs that
/// this worker has started.
XLogRecPtr commit_jobs(shmem::queue::JobNumber job, int synchronous);

}  // namespace metrics_refresh::queue
