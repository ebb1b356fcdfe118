// Performs the work of a run in the session of its owner.
//
// The limits of the run are in force from resume_limits() until end_cancels(), or until the end of
// a command. Later a cancel must not reach the commit, which also logs the success. The
// settings of the job are local to the transaction of a refresh. A command may end transactions, so
// its settings apply to the session.
//
// The set-up of triggers before the work, and ANALYZE after it, have transactions of their own. If
// one of them fails, the refresh is done nevertheless.
#include "core/job_setting.hpp"

#include "worker/work.hpp"

#include "engine/incremental/setup/setup.hpp"
#include "engine/refresh.hpp"
#include "engine/statistics.hpp"
#include "engine/strategies.hpp"
#include "engine/view/own_jobs.hpp"
#include "extension/own_schema.hpp"
#include "pg/command.hpp"
#include "pg/notices.hpp"
#include "pg/role_setting.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/group_run.hpp"
#include "worker/limits.hpp"
#include "worker/own_tables.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

using store::JobRecord;
using store::Member;
using store::Outcome;

void set(const char* name, const std::string& value, GucContext context, GucAction action) {
  const char* text = value.c_str();
  pg::call(
      [=] { (void)set_config_option(name, text, context, PGC_S_SESSION, action, true, 0, false); });
}

// Sets a value for the rest of the transaction.
void set_local(const char* name, const std::string& value, GucContext context) {
  set(name, value, context, GUC_ACTION_LOCAL);
}

// Sets the settings of the job with the rights of the role of the session. They are checked again,
// because the row may be older than a check of the current version.
void set_settings(const pg::Settings& settings, GucAction action) {
  for (const auto& [name, value] : settings) {
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
    if (const char* hint = core::reason_against_job_setting(name))
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, name + " is not among a job's settings",
                         hint);
    pg::set_as(GetSessionUserId(), name, value, action);
  }
}

// A request for one refresh has no settings, so those of the view's own jobs are used.
pg::Settings settings_of(const JobRecord& job, Oid view) {
  if (!job.one_time || job.is_command() || !OidIsValid(view)) return job.settings;
  return engine::settings_of_own_jobs(engine::read_view(view)).settings;
}

void set_settings_and_limit(const JobRecord& job, Oid view, GucAction action) {
  set_settings(settings_of(job, view), action);
  set("lock_timeout", std::to_string(core::to_milliseconds(job.lock_timeout)), PGC_USERSET, action);
}

// A command may commit or roll back transactions. Its settings are therefore set for the session,
// which is reset after each run.
void set_session(const JobRecord& job) {
  if (!job.is_command()) return;
  pg::in_transaction([&] {
    set_settings(job.settings, GUC_ACTION_SET);
    set_client_settings(core::to_milliseconds(job.lock_timeout));
  });
}

void show_activity(const std::string& activity) {
  const char* text = activity.c_str();
  pg::call([text] { pgstat_report_activity(STATE_RUNNING, text); });
}

Outcome success(store::Strategy strategy) {
  Outcome outcome;
  outcome.status = store::RunStatus::kSuccess;
  outcome.strategy = strategy;
  return outcome;
}

// A worker executes only code of the role of its session.
bool is_own(Oid owner) { return GetSessionUserId() == owner; }

Outcome refresh(const Task& task) {
  const JobRecord& job = task.job;
  show_activity("refresh of " + (task.member ? task.member->view() : job.view()));
  const engine::Refreshed refreshed =
      engine::refresh_view(task.view, engine::asked_by_job(job.strategy), job.owner_oid, is_own);
  Outcome outcome = engine::to_outcome(refreshed.choice, refreshed.rows);
  if (!task.not_incremental_reason.empty()) outcome.strategy_reason = task.not_incremental_reason;
  return outcome;
}

Outcome run_command(const JobRecord& job) {
  show_activity(job.command);
  const pg::CommandResult result = pg::run_command(job.command);
  Outcome outcome = success(store::Strategy::kCommand);
  outcome.result = result.tags;
  outcome.rows_total = static_cast<std::int64_t>(result.rows);
  // Deferred triggers are part of the work. They must fire within its limits and before its success
  // is logged. The commit would come after both.
  pg::call([] {
    AfterTriggerFireDeferred();
    PortalHashTableDeleteAll();  // the commit would execute WITH HOLD cursors to the end
  });
  accept_cancel(false);
  QueryCancelPending = false;  // the command may have committed its work already
  // The log cannot be written in a read-only transaction. In a serializable one it could cause
  // conflicts that the command does not have.
  if (XactReadOnly || XactIsoLevel != XACT_READ_COMMITTED) pg::commit_and_begin();
  return outcome;
}

// All views are locked before the snapshot is taken. Other sessions can then not change a member
// between the snapshot and its refresh.
Outcome refresh_on_one_snapshot(Task& task) {
  const JobRecord& job = task.job;
  show_activity("refresh of the group " + job.name);
  const store::Strategy asked = engine::asked_by_job(job.strategy);
  std::vector<engine::LockedView> locked;
  for (const Member& member : task.members) {
    task.at_member = member.number;
    if (!OidIsValid(member.view_oid))
      throw pg::SqlError(ERRCODE_UNDEFINED_TABLE,
                         "materialized view " + member.view() + " does not exist",
                         "All views of a group with isolation repeatable_read must exist.");
    locked.push_back(engine::lock_view(member.view_oid, asked, job.owner_oid, is_own));
  }
  pg::call([] { PushActiveSnapshot(GetTransactionSnapshot()); });  // the one; commit pops it
  for (const Member& member : task.members) {
    task.at_member = member.number;
    const engine::LockedView& view = locked[static_cast<std::size_t>(member.number)];
    const core::Instant started = pg::now();
    const store::UsageMeter meter;
    const engine::Refreshed refreshed = engine::refresh_locked(view);
    Outcome outcome = engine::to_outcome(refreshed.choice, refreshed.rows);
    outcome.usage = meter.so_far();
    extension::as_extension([&](pg::Spi& spi) {
      store::log_ended_run(spi, head_of_member(member, task.job.name, started), outcome);
    });
  }
  task.at_member = -1;
  Outcome outcome = success(store::Strategy::kGroup);
  outcome.strategy_reason =
      std::to_string(task.members.size()) + " views in one transaction on one snapshot";
  return outcome;
}

// Creates the triggers of a view if it was created again or needs other triggers than it has. This
// is a transaction of its own, because it blocks writers, which must not wait for the refresh too.
void set_up(int slot, Task& task, Oid view) {
  if (!OidIsValid(view)) return;
  try {
    pg::in_transaction([&] {
      set_local("lock_timeout", std::to_string(core::to_milliseconds(task.job.lock_timeout)),
                PGC_USERSET);
      engine::set_up_incremental(engine::read_view(view), {task.job.owner_oid}, false);
    });
  } catch (const pg::SqlError& error) {
    task.not_incremental_reason = error.what();
    if (!error.detail().empty()) task.not_incremental_reason += ": " + error.detail();
  }
  resume_limits(slot);  // an abort stops the timers, and a wait of a commit discards a cancel
}

void set_up_incremental(int slot, Task& task) {
  // A request for one refresh does not create triggers.
  if (!store::has_trait(task.job.strategy, store::kSetUpByJob) || task.job.one_time) return;
  set_up(slot, task, task.view);
  for (const Member& member : task.members) set_up(slot, task, member.view_oid);
}

void log_success(const Task& task, const Outcome& outcome) {
  extension::as_extension([&](pg::Spi& spi) {
    store::end_run(spi, task.run_id, outcome, 0);
    if (task.member)
      finish_member(spi, *task.member, store::MemberState::kSuccess);
    else if (task.job.one_time)
      store::remove_one_time_job(spi, task.job.id);
  });
}

// Ignores cancels before the commit, because they come too late. The commit may still wait for a
// standby or for a callback of another library. SIGTERM can end such a wait.
void end_cancels() {
  accept_cancel(false);
  pg::call([] { CHECK_FOR_INTERRUPTS(); });  // raises the error of an earlier cancel
}

// Analyzes the view within the rest of max_runtime. An error does not affect the refresh, which is
// committed.
void update_statistics(int slot, const JobRecord& job, Oid view) {
  if (!OidIsValid(view) || is_to_end(slot)) return;
  try {
    pg::in_transaction([=, &job] {
      resume_limits(slot);
      set_settings_and_limit(job, InvalidOid, GUC_ACTION_LOCAL);
      engine::analyze_if_changed(view, is_own);
      end_cancels();
    });
    lift_limits(slot);
  } catch (const std::exception&) {
    lift_limits(slot);
    log_current_exception("a view that was refreshed cannot be analyzed");
  }
}

void work(int slot, Task& task, const store::UsageMeter& meter) {
  const JobRecord& job = task.job;
  if (!job.is_command()) set_settings_and_limit(job, task.view, GUC_ACTION_LOCAL);
  Outcome outcome = !task.members.empty() ? refresh_on_one_snapshot(task)
                    : job.is_command()    ? run_command(job)
                                          : refresh(task);
  add_measures(slot, meter, outcome);
  // The lock_timeout of the job applies to its work only. Only processes of the extension can lock
  // the rows that the log needs, and they do so for a moment.
  set_local("lock_timeout", kLogLockTimeout, PGC_USERSET);
  pg::stop_transaction_timeout();
  log_success(task, outcome);
  end_cancels();
}

}  // namespace

void do_work(int slot, Task& task, const store::UsageMeter& meter) {
  resume_limits(slot);
  set_up_incremental(slot, task);
  set_session(task.job);
  const auto body = [&] { work(slot, task, meter); };
  if (task.job.is_command())
    pg::in_transaction_without_snapshot(body);
  else if (task.members.empty())
    pg::in_transaction(body);
  else
    pg::in_repeatable_read(body);
  lift_limits(slot);
  update_statistics(slot, task.job, task.view);
  for (const Member& member : task.members) update_statistics(slot, task.job, member.view_oid);
}

bool are_fresh(const JobRecord& job, const std::vector<Oid>& views) {
  const store::Strategy asked = engine::asked_by_job(job.strategy);
  if (asked != store::Strategy::kAuto) return false;  // not worth a subtransaction
  bool fresh = true;
  try {
    const std::optional<pg::PgError> error = pg::in_subtransaction([&] {
      const int level = pg::call([] { return NewGUCNestLevel(); });
      set_settings(job.settings, GUC_ACTION_SAVE);
      set("lock_timeout", kSchedulerLockTimeout, PGC_USERSET, GUC_ACTION_SAVE);
      for (const Oid view : views)
        fresh = fresh && engine::choose_skip(view, asked, job.owner_oid).has_value();
      pg::call([level] { AtEOXact_GUC(false, level); });
    });
    return fresh && !error;
  } catch (const pg::SqlError&) {
    return false;
  }
}

void add_measures(int slot, const store::UsageMeter& meter, Outcome& outcome) {
  const shmem::WorkerSlot view = shmem::read_slot(slot);
  outcome.missed = view.missed;
  if (view.missed > 0) outcome.last_missed = pg::to_instant(view.last_missed);
  outcome.usage = meter.so_far();
  outcome.notices = pg::collected_notices();
}

}  // namespace metrics_refresh::worker
