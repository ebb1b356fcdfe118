#include "core/scheduler/retry_policy.hpp"

#include "worker/unbegun_run.hpp"

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "store/groups.hpp"
#include "store/job_changes.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/group_run.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

// After this number of tries, a permanent error is logged as the failure of the run.
constexpr int kMostTries = 3;

void log_member(pg::Spi& spi, const shmem::Assignment& run, store::RunHead head,
                const store::Outcome& outcome) {
  const auto member = store::find_pending(spi, run.group_run_id, run.member);
  if (!member) return;  // the worker committed its begin or end, and died before it reported that
  head.job_id.reset();
  head.group_run_id = member->group_run_id;
  head.group_job_id = member->job_id;
  head.view_schema = member->view_schema;
  head.view_name = member->view_name;
  const std::int64_t run_id = store::begin_run(spi, head);
  store::begin_member(spi, *member, run_id);
  store::end_run(spi, run_id, outcome, 0);
  finish_member(spi, *member, state_of_member(outcome.status));
}

void log_job(pg::Spi& spi, const shmem::Assignment& run, store::RunHead head,
             const store::Outcome& outcome) {
  if (store::is_logged(spi, head)) return;  // the worker died after the commit
  if (head.run_id) {
    // If another session is withdrawing the request, that session logs the end. If it rolls back,
    // the request is read again.
    const std::optional<store::Request> request = store::take_request(spi, *head.run_id);
    if (!request) return;
    head.initiated_by = request->requested_by;
  }
  if (store::end_run(spi, store::begin_run(spi, head), outcome, settings::suspend_after()))
    store::note_changed(run.job_id);
  if (run.trigger == shmem::Trigger::kManual) store::remove_one_time_job(spi, run.job_id);
}

}  // namespace

store::RunHead head_of(const shmem::Assignment& run, const store::JobRecord& job,
                       core::Instant started) {
  store::RunHead head = store::head_of(job);
  head.manual = run.trigger == shmem::Trigger::kManual;
  head.attempt = run.attempt;
  head.due = pg::to_instant(run.due);
  if (!head.manual) head.handled_until = pg::to_instant(run.handled_until);
  head.started = started;
  return head;
}

store::MemberState state_of_member(store::RunStatus status) {
  return status == store::RunStatus::kCanceled ? store::MemberState::kCanceled
                                               : store::MemberState::kFailed;
}

Attempt log_unbegun(const char* lock_timeout, const shmem::Assignment& run,
                    const store::Outcome& outcome) {
  const auto body = [&](pg::Spi& spi) {
    const std::optional<store::JobRecord> job = store::find_job(spi, run.job_id);
    if (!job) return;
    store::RunHead head = head_of(run, *job, pg::now());
    if (run.run_id != 0) head.run_id = run.run_id;
    if (run.member != shmem::kNoMember)
      log_member(spi, run, std::move(head), outcome);
    else
      log_job(spi, run, std::move(head), outcome);
  };
  return attempt_with_own_tables(lock_timeout, "a run that did not begin cannot be logged", body);
}

shmem::RunResult not_begun(const shmem::Assignment& run) {
  store::Outcome outcome;
  outcome.status = store::RunStatus::kError;
  outcome.error = store::describe_current_error();
  outcome.permanent = true;
  log_current_exception("a run cannot begin now");
  if (core::is_transient(outcome.error->sqlstate) || run.tries + 1 < kMostTries)
    return shmem::RunResult::kNotBegun;
  outcome.error->message = "the run cannot begin: " + outcome.error->message;
  switch (log_unbegun(kWorkerLockTimeout, run, outcome)) {
    case Attempt::kDone:
      return shmem::RunResult::kFailure;
    case Attempt::kLater:
      return shmem::RunResult::kNotBegun;
    case Attempt::kFailed:
      break;
  }
  return shmem::RunResult::kHopeless;
}

}  // namespace metrics_refresh::worker
