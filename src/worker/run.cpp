// Performs a run in three transactions (run.hpp).
//
// The first transaction checks everything that can prevent the run: the job and its request still
// exist, the owner may have runs, the view exists, and something has changed. If there is nothing
// to do, it returns a result, and the run ends there. Otherwise it writes the `running` row.
// Example of a failed refresh:
//
//   begin_job: running row, commit -> do_work: error, abort -> log_failure: error row, commit
//
// A cancel may arrive in any of these steps. During the first one it aborts the transaction. Then
// the step is repeated without limits, only to log the run with the outcome of the cancel.
#include "core/scheduler/retry_policy.hpp"

#include "worker/run.hpp"

#include "engine/view/view.hpp"
#include "pg/notices.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/group_run.hpp"
#include "worker/limits.hpp"
#include "worker/own_tables.hpp"
#include "worker/process.hpp"
#include "worker/run_failure.hpp"
#include "worker/run_session.hpp"
#include "worker/session.hpp"
#include "worker/skip_due_time.hpp"
#include "worker/unbegun_run.hpp"
#include "worker/work.hpp"

namespace metrics_refresh::worker {
namespace {

using shmem::RunResult;
using store::JobRecord;
using store::Member;
using store::Outcome;
using store::RunHead;

// The text for a view that does not exist. The run does nothing, and this is logged once.
std::string missing(const std::string& view) {
  return "materialized view " + view + " does not exist";
}

bool find_view(Task& task, RunHead& head) {
  if (!OidIsValid(task.view)) return false;
  const engine::View view = engine::read_view(task.view);
  if (!task.reason) require_session_of(view.owner, view.schema + "." + view.name);
  head.view_schema = view.schema;
  head.view_name = view.name;
  head.owner = pg::role_name(view.owner);
  head.owner_oid = view.owner;
  return true;
}

// The state after the first transaction.
struct FirstTransaction {
  Task task;
  std::optional<RunResult> result;  // that there is nothing left to do
};

// If the limits have ended the run already, it is only logged.
void begin_job(pg::Spi& spi, RunHead head, FirstTransaction& first) {
  Task& task = first.task;
  const JobRecord& job = task.job;
  if (task.ended) {
    task.run_id = store::begin_run(spi, head);
    return;
  }
  task.reason = reason_against_owner(job);
  if (job.is_refresh()) {
    task.view = engine::resolve_view(job);
    if (!find_view(task, head)) {
      store::log_skipped_run(spi, head, missing(job.view()));
      store::remove_one_time_job(spi, job.id);
      first.result = RunResult::kSuccess;
      return;
    }
  }
  const std::string owner = pg::role_name(job.owner_oid);
  store::bind_job(spi, job, task.view, job.is_refresh() ? head.view_schema : "",
                  job.is_refresh() ? head.view_name : "", owner.empty() ? job.owner : owner);
  if (skip_due_time(spi, head, task)) {
    first.result = RunResult::kSuccess;
    return;
  }
  // A group of a schema without views is handled like a view that does not exist.
  if (!job.group_schema.empty() && !task.reason && store::members_of_group(spi, job).empty()) {
    store::log_skipped_run(spi, head,
                           "schema \"" + job.group_schema + "\" holds no materialized views");
    store::remove_one_time_job(spi, job.id);
    first.result = RunResult::kSuccess;
    return;
  }
  task.run_id = store::begin_run(spi, head);
  if (!job.is_group() || task.reason) return;
  GroupPlan plan = plan_group(spi, job, task.run_id, head.attempt);
  task.reason = std::move(plan.reason);
  if (task.reason) return;
  task.members = std::move(plan.members);
  if (!task.members.empty() && job.repeatable_read) {
    task.reason = several_owners(task.members);
    for (const Member& member : task.members)
      if (!task.reason && OidIsValid(member.view_oid))
        require_session_of(engine::relation_owner(member.view_oid), member.view());
    return;
  }
  if (task.members.empty()) {
    Outcome outcome;
    outcome.status = store::RunStatus::kSuccess;
    outcome.strategy = store::Strategy::kGroup;
    outcome.strategy_reason = "the runs before have refreshed all views";
    store::end_run(spi, task.run_id, outcome, 0);
    if (job.one_time) store::remove_one_time_job(spi, job.id);
    first.result = RunResult::kSuccess;
  } else {
    store::open_group(spi, task.members);
    first.result = RunResult::kOpened;
  }
}

void begin_member(pg::Spi& spi, const shmem::Assignment& run, RunHead head,
                  FirstTransaction& first) {
  Task& task = first.task;
  task.member = store::find_pending(spi, run.group_run_id, run.member);
  first.result = RunResult::kFailure;
  if (!task.member) return;  // canceled a moment ago
  if (!store::may_begin(spi, *task.member)) {
    // A member that this one waits for has lost its worker, and its run is not closed yet.
    first.result = RunResult::kNotBegun;
    return;
  }
  const Member& member = *task.member;
  head.job_id.reset();
  head.group_run_id = member.group_run_id;
  head.group_job_id = task.job.id;
  const store::GroupHead group = store::head_of_group(spi, member.group_run_id);
  head.manual = group.manual;
  head.initiated_by = group.initiated_by;
  head.attempt = group.attempt;
  head.dependency = !member.waits_for.empty();
  head.view_schema = member.view_schema;
  head.view_name = member.view_name;
  if (!task.ended) task.reason = reason_against_owner(task.job);
  task.view = engine::resolve_view(member);
  const bool found = find_view(task, head) || task.ended;
  task.run_id = store::begin_run(spi, head);
  store::begin_member(spi, member, task.run_id);
  if (found) {
    first.result.reset();
    return;
  }
  Outcome outcome;
  outcome.status = store::RunStatus::kSkipped;
  outcome.error = store::run_reason(missing(member.view()));
  store::end_run(spi, task.run_id, outcome, 0);
  finish_member(spi, member, store::MemberState::kSkipped);
}

FirstTransaction begin(int slot, const shmem::Assignment& run, core::Instant started,
                       const std::optional<Outcome>& ended) {
  FirstTransaction first;
  first.task.ended = ended.has_value();
  const auto body = [&](pg::Spi& spi) {
    std::optional<JobRecord> job = store::find_job(spi, run.job_id);
    first.result = RunResult::kFailure;
    if (!job) return;  // unscheduled a moment ago
    first.task.job = std::move(*job);
    // Throws if the run was canceled before.
    if (!ended) start_limits(slot, max_runtime_of(first.task.job));
    RunHead head = head_of(run, first.task.job, started);
    head.worker_pid = MyProcPid;
    // An earlier worker may have committed the begin and died, while the log could not be read. A
    // run with a request, and a member, are found to have begun by their own rows.
    if (run.tries > 0 && run.run_id == 0 && run.member == shmem::kNoMember &&
        store::is_logged(spi, head))
      return;
    if (run.run_id != 0) {
      head.run_id = run.run_id;
      const std::optional<store::Request> request = store::take_request(spi, run.run_id);
      if (!request) return;  // withdrawn a moment ago
      head.initiated_by = request->requested_by;
    }
    first.result.reset();
    if (run.member == shmem::kNoMember)
      begin_job(spi, std::move(head), first);
    else
      begin_member(spi, run, std::move(head), first);
  };
  with_own_tables(kWorkerLockTimeout, body, ended ? Standby::kNotAwaited : Standby::kAsSet);
  return first;
}

// Begins the run. If its limits end it meanwhile, it is logged nevertheless, and `ended` is the
// outcome.
FirstTransaction begin_within_limits(int slot, const shmem::Assignment& run, core::Instant started,
                                     std::optional<Outcome>& ended) {
  try {
    return begin(slot, run, started, ended);
  } catch (const std::exception&) {
    const bool is_end =
        is_to_end(slot) && store::describe_current_error().is(ERRCODE_QUERY_CANCELED);
    if (is_end) ended = failed(slot, run, {});
    lift_limits(slot);
    if (!is_end) throw;
  }
  QueryCancelPending = false;  // one that came during the abort
  return begin(slot, run, started, ended);
}

// Waits for the due time of a run that was handed over early, and returns the current time. If the
// due time is more than kHandOver ahead, the clock was set back, and there is no wait.
core::Instant wait_until(core::Instant due) {
  for (;;) {
    const core::Instant now = pg::now();
    if (due <= now || due > now + kHandOver) return now;
    pg_usleep(static_cast<long>((due - now).count()));
  }
}

}  // namespace

RunResult carry_out(int slot, const shmem::Assignment& run) {
  const core::Instant started = wait_until(pg::to_instant(run.due));
  const store::UsageMeter meter;
  FirstTransaction first;
  std::optional<Outcome> ended;
  try {
    first = begin_within_limits(slot, run, started, ended);
  } catch (const std::exception&) {
    lift_limits(slot);
    return not_begun(run);
  }
  Task& task = first.task;
  task.opened = first.result == RunResult::kOpened;
  shmem::report_begin(slot, first.result ? 0 : task.run_id);
  // From now on a cancel finds no worker with this run. It cancels the group instead.
  if (task.opened) ended = end_of_opened(slot, run, task);
  if (first.result && !(task.opened && ended)) {
    lift_limits(slot);
    return *first.result;
  }
  std::optional<pg::NoticeCollector> notices;
  if (task.job.is_command()) notices.emplace();
  Outcome outcome;
  if (ended) {
    outcome = *ended;
  } else if (task.reason) {
    outcome.status = store::RunStatus::kError;
    outcome.error = task.reason;
    outcome.permanent = !core::is_transient(task.reason->sqlstate);
    if (!outcome.permanent && !task.member && run.trigger == shmem::Trigger::kSchedule)
      outcome.retry = plan_retry(task.job, run.attempt, pg::to_instant(run.due));
  } else {
    try {
      do_work(slot, task, meter);
      return RunResult::kSuccess;
    } catch (...) {
      lift_limits(slot);
      outcome = failed(slot, run, task.job);
      hint_at_missing_name(task, outcome);
    }
  }
  lift_limits(slot);
  QueryCancelPending = false;  // one that came during the abort
  add_measures(slot, meter, outcome);
  if (task.job.is_command()) reset_settings();  // what a part that was committed has set
  log_failure(task, outcome);
  return RunResult::kFailure;
}

}  // namespace metrics_refresh::worker
