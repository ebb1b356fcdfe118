#include "core/job_setting.hpp"

#include "worker/work.hpp"

#include "engine/incremental/setup/setup.hpp"
#include "engine/refresh.hpp"
#include "engine/statistics.hpp"
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

// For the rest of the transaction.
void set_local(const char* name, const std::string& value, GucContext context) {
  set(name, value, context, GUC_ACTION_LOCAL);
}

// The job's own settings, with the rights of the session's owner. What is refused when a job is
// written may have been written before that.
void set_settings(const pg::Settings& settings, GucAction action) {
  for (const auto& [name, value] : settings) {
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
    if (const char* hint = core::why_no_job_setting(name))
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, name + " is not among a job's settings",
                         hint);
    pg::set_as(GetSessionUserId(), name, value, action);
  }
}

// Whoever asks for one refresh has no settings of his own.
pg::Settings settings_of(const JobRecord& job, Oid view) {
  if (!job.one_time || job.is_command() || !OidIsValid(view)) return job.settings;
  return engine::settings_of_own_jobs(engine::read_view(view)).settings;
}

void set_settings_and_limit(const JobRecord& job, Oid view, GucAction action) {
  set_settings(settings_of(job, view), action);
  set("lock_timeout", std::to_string(core::to_milliseconds(job.lock_timeout)), PGC_USERSET, action);
}

// A command may end transactions, and roll them back, so what it goes by is set before and for the
// session, which is reset after each run.
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

Outcome success(const std::string& strategy) {
  Outcome outcome;
  outcome.status = "success";
  outcome.strategy = strategy;
  return outcome;
}

// A worker runs the code of its session's owner only.
bool is_own(Oid owner) { return GetSessionUserId() == owner; }

Outcome refresh(const Task& task) {
  const JobRecord& job = task.job;
  show_activity("refresh of " + (task.member ? task.member->view() : job.view()));
  const engine::Refreshed refreshed =
      engine::refresh_view(task.view, engine::job_request(job.strategy), job.owner_oid, is_own);
  Outcome outcome = engine::to_outcome(refreshed.choice, refreshed.rows);
  if (!task.not_incremental.empty()) outcome.strategy_reason = task.not_incremental;
  return outcome;
}

Outcome run_command(const JobRecord& job) {
  show_activity(job.command);
  const pg::CommandResult result = pg::run_command(job.command);
  Outcome outcome = success("command");
  outcome.result = result.tags;
  outcome.rows_total = static_cast<std::int64_t>(result.rows);
  // Deferred triggers are part of the work: within its limits, and before its success is logged.
  // The commit, which comes after both, would fire what they put off themselves.
  pg::call([] {
    AfterTriggerFireDeferred();
    PortalHashTableDeleteAll();  // nobody fetches from what is WITH HOLD
  });
  accept_cancel(false);
  QueryCancelPending = false;  // what is done may have been committed
  // The log has its own rows to write, and its own conflicts.
  if (XactReadOnly || XactIsoLevel != XACT_READ_COMMITTED) pg::go_on_in_another_transaction();
  return outcome;
}

// All locks first, so that the one snapshot is as late as it can be, and none of the members can
// have been changed since.
Outcome refresh_on_one_snapshot(Task& task) {
  const JobRecord& job = task.job;
  show_activity("refresh of the group " + job.name);
  const engine::Requested requested = engine::job_request(job.strategy);
  std::vector<engine::LockedView> locked;
  for (const Member& member : task.members) {
    task.at_member = member.number;
    if (!OidIsValid(member.view_oid))
      throw pg::SqlError(ERRCODE_UNDEFINED_TABLE,
                         "materialized view " + member.view() + " does not exist",
                         "All views of a group with isolation repeatable_read must exist.");
    locked.push_back(engine::lock_view(member.view_oid, requested, job.owner_oid, is_own));
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
  Outcome outcome = success("group");
  outcome.strategy_reason =
      std::to_string(task.members.size()) + " views in one transaction on one snapshot";
  return outcome;
}

// A view that was made anew, or whose definition wants other triggers than it has. In a transaction
// of its own: it locks out writers, who must not wait for the refresh as well.
void set_up(int slot, Task& task, Oid view) {
  if (!OidIsValid(view)) return;
  try {
    pg::in_transaction([&] {
      set_local("lock_timeout", std::to_string(core::to_milliseconds(task.job.lock_timeout)),
                PGC_USERSET);
      engine::set_up_incremental(engine::read_view(view), {task.job.owner_oid}, false);
    });
  } catch (const pg::SqlError& error) {
    task.not_incremental = error.what();
    if (!error.detail().empty()) task.not_incremental += ": " + error.detail();
  }
  resume_limits(slot);  // an abort has stopped them; a commit that waited has swallowed a cancel
}

void set_up_incremental(int slot, Task& task) {
  // Whoever asks for one refresh asks for no set-up.
  if (task.job.strategy != "incremental" || task.job.one_time) return;
  set_up(slot, task, task.view);
  for (const Member& member : task.members) set_up(slot, task, member.view_oid);
}

void log_success(const Task& task, const Outcome& outcome) {
  extension::as_extension([&](pg::Spi& spi) {
    store::end_run(spi, task.run_id, outcome, 0);
    if (task.member)
      finish_member(spi, *task.member, "success");
    else if (task.job.one_time)
      store::remove_one_time_job(spi, task.job.id);
  });
}

// Before a commit: a cancel comes too late now. What the commit waits for, a standby or another
// library's part of it, can still be terminated.
void end_cancels() {
  accept_cancel(false);
  pg::call([] { CHECK_FOR_INTERRUPTS(); });  // the last word of one that came before
}

// In what is left of max_runtime. Where it fails the refresh is no less done.
void keep_statistics(int slot, const JobRecord& job, Oid view) {
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
  // The job's own was meant for the work. Nobody but our processes, and they for a moment only, can
  // hold what the log needs.
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
  keep_statistics(slot, task.job, task.view);
  for (const Member& member : task.members) keep_statistics(slot, task.job, member.view_oid);
}

bool are_fresh(const JobRecord& job, const std::vector<Oid>& views) {
  const engine::Requested requested = engine::job_request(job.strategy);
  if (requested != engine::Requested::kAuto) return false;  // not worth a subtransaction
  bool fresh = true;
  try {
    const std::optional<pg::PgError> error = pg::in_subtransaction([&] {
      const int level = pg::call([] { return NewGUCNestLevel(); });
      set_settings(job.settings, GUC_ACTION_SAVE);
      set("lock_timeout", kSchedulerLockTimeout, PGC_USERSET, GUC_ACTION_SAVE);
      for (const Oid view : views)
        fresh = fresh && engine::choose_skip(view, requested, job.owner_oid).has_value();
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
  outcome.notices = pg::kept_notices();
}

}  // namespace metrics_refresh::worker
