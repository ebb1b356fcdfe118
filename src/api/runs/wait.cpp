// wait() and wait_for() return when a run has ended.
//
// A SELECT of wait() holds a snapshot while it waits. A run that itself waits for old snapshots,
// for example with CREATE INDEX CONCURRENTLY, could then never end. wait() detects this case and
// gives up. CALL wait_for() commits before each sleep, so that it holds no snapshot.
#include "api/arguments.hpp"
#include "api/runs/known_run.hpp"
#include "api/waiting.hpp"
#include "pg/snapshot_waits.hpp"
#include "shmem/shmem.hpp"

namespace metrics_refresh::api {
namespace {

// Sleeps until a run has ended, `most` milliseconds have passed, or the time to give up has come.
// Returns false if that time had come before. REQUIRES: the condition variable is prepared.
bool sleep_on(const std::optional<core::Instant>& give_up_at, std::int64_t most) {
  const std::optional<long> length = sleep_length(give_up_at, most);
  if (!length) return false;
  const long timeout = *length;
  pg::call([timeout] { shmem::sleep_until_run_end(timeout); });
  return true;
}

void prepare_to_sleep() {
  pg::call([] { shmem::prepare_for_run_end(); });
}

void cancel_sleep() {
  pg::call([] { shmem::cancel_run_end_sleep(); });
}

// True if the run cannot end before this transaction ends.
bool waits_for_us(std::int64_t run_id) {
  for (const shmem::SlotView& view : shmem::busy_slots(MyDatabaseId))
    if (view.slot.run.run_id == run_id && view.slot.pid != 0)
      return pg::waits_for_this_transaction(view.slot.pid);
  return false;
}

constexpr char kReason[] =
    "A statement of the run, such as CREATE INDEX CONCURRENTLY, waits until older snapshots are "
    "gone, and this statement or its transaction holds one.";

std::string advice(std::int64_t run_id) {
  return "CALL metrics_refresh.wait_for(" + std::to_string(run_id) +
         "), outside of a transaction block, waits without a snapshot.";
}

// A caller with a time limit expects that the run may still be under way, so it gets a warning
// instead of an error.
void report_circular_wait(std::int64_t run_id, bool has_limit) {
  const std::string run = "run " + std::to_string(run_id);
  if (!has_limit)
    throw pg::SqlError(ERRCODE_OBJECT_IN_USE, run + " waits for the transaction that waits for it",
                       advice(run_id), kReason);
  const std::string hint = advice(run_id);
  const char* const message = run.c_str();
  const char* const hint_text = hint.c_str();
  pg::call([=] {
    ereport(WARNING, errcode(ERRCODE_OBJECT_IN_USE),
            errmsg("%s waits for the transaction that waits for it", message),
            errdetail_internal("%s", kReason), errhint("%s", hint_text));
  });
}

Datum wait(FunctionCallInfo call) {
  const Arguments arguments(call);
  shmem::require_preloaded();
  const std::int64_t run_id = Arguments::required(arguments.get_int64(0), "run_id");
  const std::optional<core::Instant> give_up_at = give_up_time(arguments, 1);
  // Each look at the status needs a new snapshot.
  if (IsolationUsesXactSnapshot())
    throw pg::SqlError(ERRCODE_ACTIVE_SQL_TRANSACTION,
                       "wait() needs the isolation level read committed",
                       "This transaction's snapshot would never show the end of the run.");
  KnownRun run = look_up(run_id);
  if (run.requested_here)
    throw pg::SqlError(
        ERRCODE_ACTIVE_SQL_TRANSACTION,
        "run " + std::to_string(run_id) + " cannot begin before this transaction has committed",
        "Call trigger() and wait() in two transactions.");
  prepare_to_sleep();
  for (;;) {
    // After the condition variable was prepared, so that no end is overlooked.
    run = look_up(run_id);
    if (run.is_over() || !sleep_on(give_up_at, kLookMilliseconds)) break;
    if (!waits_for_us(run_id)) continue;
    report_circular_wait(run_id, give_up_at.has_value());
    break;
  }
  cancel_sleep();
  return text_result(store::to_text(run.status));
}

// The status is read in a transaction of its own. Nothing is held while this process sleeps.
store::RunStatus await(std::int64_t run_id, const std::optional<core::Instant>& give_up_at) {
  shmem::require_preloaded();
  for (;;) {
    prepare_to_sleep();
    const KnownRun run = look_up(run_id);
    if (run.is_over()) {
      cancel_sleep();
      return run.status;
    }
    commit_procedure();
    if (!sleep_on(give_up_at, kLongestSleep)) {
      cancel_sleep();
      return run.status;
    }
  }
}

Datum wait_for(FunctionCallInfo call) {
  const Arguments arguments(call);
  const std::int64_t run_id = Arguments::required(arguments.get_int64(0), "run_id");
  if (is_in_transaction(call))
    throw pg::SqlError(
        ERRCODE_ACTIVE_SQL_TRANSACTION,
        "wait_for() cannot run inside a transaction block or a function",
        "It commits, so that it holds no snapshot while it waits. CALL it by itself, "
        "or use metrics_refresh.wait().");
  const std::optional<core::Instant> give_up_at = give_up_time(arguments, 1);
  pg::call([] { (void)SPI_connect_ext(SPI_OPT_NONATOMIC); });
  commit_procedure();
  const store::RunStatus status = await(run_id, give_up_at);
  pg::call([] { (void)SPI_finish(); });
  return row_result(call, {store::to_text(status)});
}

}  // namespace

MR_SQL_FUNCTION(mr_wait, wait);
MR_SQL_FUNCTION(mr_wait_for, wait_for);

}  // namespace metrics_refresh::api
