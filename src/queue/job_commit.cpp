#include "queue/job_commit.hpp"

#include "shmem/queue/work.hpp"

namespace metrics_refresh::queue {
namespace {

// Of the transaction that commits.
bool has_jobs = false;
shmem::queue::JobNumber only_job = 0;

// Interrupts are held from the commit record to this callback.
void on_transaction_end(XactEvent event, void*) {
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
  if (std::exchange(has_jobs, false) && event == XACT_EVENT_COMMIT)
    shmem::queue::mark_committed(only_job, U64FromFullTransactionId(GetTopFullTransactionIdIfAny()),
                                 XactLastCommitEnd);
}

}  // namespace

XLogRecPtr commit_jobs(shmem::queue::JobNumber job, int synchronous) {
  static bool watched = false;
  if (!std::exchange(watched, true))
    pg::call([] { RegisterXactCallback(on_transaction_end, nullptr); });
  only_job = job;
  has_jobs = true;
  return pg::commit_job_transaction(synchronous);
}

}  // namespace metrics_refresh::queue
