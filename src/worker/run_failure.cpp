#include "core/scheduler/retry_policy.hpp"

#include "worker/run_failure.hpp"

#include "engine/view/missing_names.hpp"
#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "shmem/worker_end.hpp"
#include "store/job_changes.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/group_run.hpp"
#include "worker/limits.hpp"
#include "worker/own_tables.hpp"
#include "worker/process.hpp"
#include "worker/unbegun_run.hpp"

namespace metrics_refresh::worker {

using store::JobRecord;
using store::Outcome;

namespace {

void log_failure_once(const Task& task, const Outcome& outcome) {
  const auto log = [&](pg::Spi& spi) {
    if (task.opened) {
      cancel_group(spi, task.run_id, &outcome);
      store::note_changed(task.job.id);  // the scheduler may know of its members already
      return;
    }
    if (store::end_run(spi, task.run_id, outcome, settings::suspend_after()) || outcome.retry)
      store::note_changed(task.job.id);
    if (task.member) {
      finish_member(spi, *task.member, state_of_member(outcome.status));
      return;
    }
    log_rolled_back(spi, task.job.name, task.members, task.at_member, outcome);
    if (task.job.one_time && !outcome.retry) store::remove_one_time_job(spi, task.job.id);
  };
  with_own_tables(kWorkerLockTimeout, log, Standby::kNotAwaited);
  if (task.opened) shmem::cancel_members(MyDatabaseId, task.run_id);
}

bool is_lock_conflict(const pg::PgError& error) {
  return error.sqlstate() == ERRCODE_LOCK_NOT_AVAILABLE ||
         ERRCODE_TO_CATEGORY(error.sqlstate()) == ERRCODE_TRANSACTION_ROLLBACK;
}

// Replaces the message of the cancel by its reason.
void describe_yielding(store::RunError& error) {
  error.message = "the run gave its worker up for another role, which had none";
  error.detail =
      "Its owner had several runs under way, and the other had waited for "
      "metrics_refresh.yield_after.";
  error.hint = "More workers (metrics_refresh.max_workers) or shorter runs leave some for all.";
}

}  // namespace

Outcome failed(int slot, const shmem::Assignment& run, const JobRecord& job) {
  Outcome outcome;
  outcome.error = store::describe_current_error();
  outcome.status = store::RunStatus::kError;
  const bool cancel = outcome.error->is(ERRCODE_QUERY_CANCELED);
  const bool yields = cancel && !exceeded_max_runtime() && shmem::read_slot(slot).yields;
  // statement_timeout raises the same SQLSTATE as a cancel, but it is an error of the command.
  const bool is_statements = cancel && !yields && exceeded_statement_timeout() && !is_to_end(slot);
  if (yields) {
    describe_yielding(*outcome.error);
  } else if (cancel && !exceeded_max_runtime() && !is_statements) {
    outcome.status = store::RunStatus::kCanceled;
    return outcome;
  }
  if (cancel && !yields && !is_statements) {
    outcome.error->message = "the run was ended because it exceeded its max_runtime";
    outcome.error->hint =
        "metrics_refresh.alter_job(job_name, max_runtime => ...) raises it, up to "
        "metrics_refresh.max_job_runtime.";
  }
  outcome.permanent = !core::is_transient(outcome.error->sqlstate);
  // A run that exceeded its max_runtime would do so again. A canceled run must not begin again,
  // even if it failed with another error. A member is tried again with its group.
  if (!outcome.permanent && job.id != 0 && (yields || !is_to_end(slot)) &&
      run.trigger == shmem::Trigger::kSchedule && run.member == shmem::kNoMember)
    outcome.retry = plan_retry(job, run.attempt, pg::to_instant(run.due));
  return outcome;
}

std::optional<Outcome> end_of_opened(int slot, const shmem::Assignment& run, const Task& task) {
  try {
    resume_limits(slot);
  } catch (const pg::SqlError&) {
    return failed(slot, run, task.job);
  }
  return std::nullopt;
}

void hint_at_missing_name(const Task& task, Outcome& outcome) {
  if (task.job.is_command() || !outcome.error) return;
  try {
    pg::in_transaction(
        [&outcome] { engine::hint_at_missing_name(*outcome.error, GetSessionUserId()); });
  } catch (const std::exception&) {
    log_current_exception("a hint at a missing name cannot be made");
  }
}

// A lock that another session holds for a moment must not lose an outcome.
void log_failure(const Task& task, const Outcome& outcome) {
  constexpr int kTries = 10;
  for (int tries = 1;; ++tries) {
    try {
      log_failure_once(task, outcome);
      return;
    } catch (const pg::PgError& error) {
      if (tries == kTries || !is_lock_conflict(error)) throw;
      log_current_exception("the end of a run cannot be logged now");
    }
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
    pg_usleep(100'000);
  }
}

}  // namespace metrics_refresh::worker
