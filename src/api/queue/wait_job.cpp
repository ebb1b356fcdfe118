// wait_job() and wait_for_job(), like wait() and wait_for() for runs.
//
// The session asks to hear of the end of the job, and looks at the rows after that, so that it
// misses none. Workers commit asynchronously. So an end is flushed before the caller hears of it.
#include "api/arguments.hpp"
#include "api/queue/job_access.hpp"
#include "api/waiting.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/job_transaction.hpp"
#include "pg/snapshot_waits.hpp"
#include "shmem/queue/awaited.hpp"
#include "shmem/queue/status.hpp"
#include "store/queue/batches.hpp"
#include "store/queue/news.hpp"
#include "store/queue/steady_look.hpp"

namespace metrics_refresh::api {
namespace {

using store::queue::JobNumber;
using store::queue::Where;

struct Seen {
  const char* status;
  bool has_ended;
};

Seen state_of(const store::queue::FoundJob& found) {
  switch (found.where) {
    case Where::kHistory:
      return {"completed", true};
    case Where::kStopped:
      return {found.status == store::queue::StopStatus::kDead ? "dead" : "canceled", true};
    default:
      break;
  }
  if (shmem::queue::is_processing(found.job.id)) return {"processing", false};
  return {found.job.has(store::queue::kHasFailed) ? "failed" : "pending", false};
}

// Rights are checked at each look: another job may not take the number, but rights may be lost. The
// number of a batch is that of a job which is added when the batch has ended.
Seen look(JobNumber id) {
  const Oid caller = GetUserId();
  const bool is_super_admin = extension::is_super_admin();
  Seen seen = {};
  extension::as_extension([&](pg::Spi& spi) {
    JobRights rights(spi, caller, is_super_admin);
    store::queue::look_steadily([&](Snapshot snapshot) {
      const auto found = store::queue::find_job(spi, id, snapshot, true);
      std::optional<store::queue::Job> job = found.job;
      if (found.where == Where::kNowhere) job = store::queue::future_callback(spi, id, snapshot);
      if (!job || !rights.may_see(*job)) refuse_missing_job_number(id);
      seen = found.where == Where::kNowhere ? Seen{"pending", false} : state_of(found);
    });
  });
  return seen;
}

// Returns false if the time to give up had come before.
bool sleep(const std::optional<core::Instant>& give_up_at, std::int64_t most) {
  const std::optional<long> length = sleep_length(give_up_at, most);
  if (!length) return false;
  const long timeout = *length;
  pg::call([timeout] { shmem::queue::sleep_until_awaited(timeout); });
  return true;
}

// Before the look, so that no end comes between both.
void prepare(JobNumber id) {
  pg::call([] { shmem::queue::prepare_for_awaited(); });
  (void)shmem::queue::await(&id, 1);
}

void cancel_sleep() {
  pg::call([] { shmem::queue::cancel_awaited_sleep(); });
}

// All that has been written so far includes the end that was seen.
void flush_end(const Seen& seen) {
  if (seen.has_ended && !RecoveryInProgress()) pg::flush_log();
}

void refuse_circular_wait(JobNumber id) {
  const auto running = shmem::queue::find_running(id);
  if (!running || !pg::waits_for_this_transaction(running->pid)) return;
  throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                     "job " + std::to_string(id) + " waits for the transaction that waits for it",
                     "CALL metrics_refresh.wait_for_job(" + std::to_string(id) +
                         "), outside of a transaction block, waits without a snapshot.");
}

Datum wait_job(FunctionCallInfo call) {
  const Arguments arguments(call);
  shmem::queue::require_queue();
  const JobNumber id = Arguments::required(arguments.get_int64(0), "job_id");
  if (store::queue::is_added_here(id))
    throw pg::SqlError(
        ERRCODE_ACTIVE_SQL_TRANSACTION,
        "job " + std::to_string(id) + " cannot start before this transaction has committed",
        "Call enqueue() and wait_job() in two transactions.");
  const std::optional<core::Instant> give_up_at = give_up_time(arguments, 1);
  Seen seen = {};
  for (;;) {
    prepare(id);
    seen = look(id);
    if (seen.has_ended || !sleep(give_up_at, kLookMilliseconds)) break;
    refuse_circular_wait(id);
  }
  cancel_sleep();
  flush_end(seen);
  return text_result(seen.status);
}

// Each look is in a transaction of its own. Nothing is held while this process sleeps.
Seen await_end(JobNumber id, const std::optional<core::Instant>& give_up_at) {
  for (;;) {
    shmem::queue::require_queue();
    prepare(id);
    const Seen seen = look(id);
    if (!seen.has_ended) commit_procedure();
    if (!seen.has_ended && sleep(give_up_at, kLongestSleep)) continue;
    cancel_sleep();
    return seen;
  }
}

Datum wait_for_job(FunctionCallInfo call) {
  const Arguments arguments(call);
  const JobNumber id = Arguments::required(arguments.get_int64(0), "job_id");
  if (is_in_transaction(call))
    throw pg::SqlError(
        ERRCODE_ACTIVE_SQL_TRANSACTION,
        "wait_for_job() cannot run inside a transaction block or a function",
        "It commits, so that it holds no snapshot while it waits. CALL it by itself, or use "
        "metrics_refresh.wait_job().");
  const std::optional<core::Instant> give_up_at = give_up_time(arguments, 1);
  pg::call([] { (void)SPI_connect_ext(SPI_OPT_NONATOMIC); });
  commit_procedure();
  const Seen seen = await_end(id, give_up_at);
  flush_end(seen);
  pg::call([] { (void)SPI_finish(); });
  return row_result(call, {seen.status});
}

}  // namespace

MR_SQL_FUNCTION(mr_wait_job, wait_job);
MR_SQL_FUNCTION(mr_wait_for_job, wait_for_job);

}  // namespace metrics_refresh::api
