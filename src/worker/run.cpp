#include "core/error_class.hpp"

#include "worker/run.hpp"

#include <algorithm>
#include <limits>

#include "engine/refresh.hpp"
#include "pg/identity.hpp"
#include "pg/privilege.hpp"
#include "pg/settings.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "store/job_changes.hpp"
#include "store/runs.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

using store::JobRecord;
using store::Outcome;
using store::RunHead;

// What the first transaction found out for the second.
struct Begun {
  JobRecord job;
  std::int64_t run_id = 0;  // 0: nothing to do
  Oid view = InvalidOid;
  std::optional<store::RunError> refused;  // why the work must not even be tried
};

std::int64_t milliseconds(core::Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

store::RunError error_of(int sqlstate, const std::string& message, const std::string& hint) {
  return {message, std::string(unpack_sql_state(sqlstate), 5), "", hint, ""};
}

// Whether the job's owner can have work done at all.
std::optional<store::RunError> owner_problem(const JobRecord& job) {
  const Oid role = job.owner_oid;
  if (pg::role_name(role).empty())
    return error_of(ERRCODE_UNDEFINED_OBJECT, "role \"" + job.owner + "\" does not exist",
                    "A super admin can give the job to another role: "
                    "metrics_refresh.alter_job(job_name, owner => ...).");
  if (job.is_refresh() || role == GetSessionUserId()) return std::nullopt;
  if (!pg::can_log_in(role))
    return error_of(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
                    "role \"" + job.owner + "\" is not permitted to log in",
                    "A command runs connected as its owner.");
  return error_of(ERRCODE_T_R_SERIALIZATION_FAILURE,
                  "the job was given to another role while its run began",
                  "The next run is its new owner's.");
}

// Binds the job to its view. False where the view does not exist: noted, and logged once.
bool find_view(pg::Spi& spi, Begun& begun, RunHead& head) {
  const JobRecord& job = begun.job;
  begun.view = engine::resolve_view(job.view_schema, job.view_name, job.view_oid);
  if (!OidIsValid(begun.view)) {
    store::note_skipped(spi, head, "materialized view " + job.view() + " does not exist");
    return false;
  }
  const engine::View view = engine::read_view(begun.view);
  head.view_schema = view.schema;
  head.view_name = view.name;
  head.owner = pg::role_name(view.owner);
  head.owner_oid = view.owner;
  return true;
}

Begun begin(const shmem::Assignment& run, core::Instant started) {
  Begun begun;
  pg::in_transaction([&] {
    pg::as_extension([&] {
      pg::Spi spi;
      std::optional<JobRecord> job = store::find_job(spi, run.job_id);
      if (!job) return;  // unscheduled a moment ago
      begun.job = std::move(*job);
      RunHead head = store::head_of(begun.job);
      head.manual = run.trigger == shmem::Trigger::kManual;
      if (run.run_id != 0) {
        head.run_id = run.run_id;
        const std::optional<store::Request> request = store::take_request(spi, run.run_id);
        if (!request) return;  // withdrawn a moment ago
        head.initiated_by = request->requested_by;
      }
      head.due = pg::to_instant(run.due);
      head.started = started;
      head.worker_pid = MyProcPid;
      begun.refused = owner_problem(begun.job);
      if (begun.job.is_refresh() && !find_view(spi, begun, head)) return;
      const std::string owner = pg::role_name(begun.job.owner_oid);
      store::bind_job(spi, begun.job, begun.view, head.view_schema, head.view_name,
                      owner.empty() ? begun.job.owner : owner);
      begun.run_id = store::begin_run(spi, head);
    });
  });
  return begun;
}

// Set by the timer of max_runtime, in a signal handler.
volatile sig_atomic_t max_runtime_passed = false;

void on_max_runtime() {
  max_runtime_passed = true;
  kill(MyProcPid, SIGINT);
}

TimeoutId max_runtime_timer() {
  static const TimeoutId id =
      pg::call([] { return RegisterTimeout(USER_TIMEOUT, on_max_runtime); });
  return id;
}

void set_lock_timeout(const std::string& milliseconds) {
  const char* text = milliseconds.c_str();
  pg::call([text] {
    (void)set_config_option("lock_timeout", text, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
                            true, 0, false);
  });
}

// Bounds the transaction that has just begun.
void set_limits(const JobRecord& job) {
  set_lock_timeout(std::to_string(
      std::min<std::int64_t>(milliseconds(job.lock_timeout), std::numeric_limits<int>::max())));
  const int max_runtime = static_cast<int>(
      std::min<std::int64_t>(milliseconds(job.max_runtime), std::numeric_limits<int>::max()));
  max_runtime_passed = false;
  const TimeoutId timer = max_runtime_timer();
  pg::call([timer, max_runtime] { enable_timeout_after(timer, max_runtime); });
}

void log_success(std::int64_t run_id, const Outcome& outcome) {
  pg::as_extension([&] {
    pg::Spi spi;
    store::end_run(spi, run_id, outcome, 0);
  });
}

void do_work(int slot, const Begun& begun, const store::UsageMeter& meter) {
  const JobRecord& job = begun.job;
  pg::in_transaction([&] {
    accept_cancel(true);
    set_limits(job);
    if (shmem::cancel_requested(slot))
      throw pg::SqlError(ERRCODE_QUERY_CANCELED, "canceled before it began");
    Outcome outcome;
    outcome.status = "success";
    if (job.is_refresh()) {
      const std::string activity = "refresh of " + job.view();
      const char* text = activity.c_str();
      pg::call([text] { pgstat_report_activity(STATE_RUNNING, text); });
      engine::Refreshed refreshed =
          engine::refresh_view(begun.view, engine::parse_requested(job.strategy), job.owner_oid);
      outcome.strategy = engine::to_string(refreshed.choice.strategy);
      outcome.strategy_reason = refreshed.choice.reason;
      outcome.rows_total = refreshed.rows;
    } else {
      const char* text = job.command.c_str();
      pg::call([text] { pgstat_report_activity(STATE_RUNNING, text); });
      pg::Spi spi;
      outcome.strategy = "command";
      outcome.rows_total = static_cast<std::int64_t>(spi.run_discarding(job.command));
      // Deferred triggers are part of the work: within its limits, and before its success is
      // logged.
      spi.run_discarding("SET CONSTRAINTS ALL IMMEDIATE");
    }
    if (XactReadOnly)
      throw pg::SqlError(ERRCODE_READ_ONLY_SQL_TRANSACTION,
                         "a job's command must not make its transaction read only",
                         "Its outcome is logged in the same transaction.");
    outcome.missed = shmem::missed_so_far(slot);
    outcome.usage = meter.so_far();
    set_lock_timeout("0");  // it was meant for the work, not for the log
    log_success(begun.run_id, outcome);
    accept_cancel(false);
    const TimeoutId timer = max_runtime_timer();
    pg::call([timer] {
      disable_timeout(timer, false);
      CHECK_FOR_INTERRUPTS();  // the last word of one that came before
    });
  });
}

// The outcome of the exception being handled.
Outcome failed() {
  Outcome outcome;
  outcome.error = store::describe_current_error();
  outcome.status = "error";
  if (outcome.error->sqlstate == "57014") {
    if (!max_runtime_passed) {
      outcome.status = "canceled";
    } else {
      outcome.error->message = "the run was ended because it exceeded its max_runtime";
      outcome.error->hint = "metrics_refresh.alter_job(job_name, max_runtime => ...) raises it.";
    }
  }
  outcome.permanent = !core::is_transient(outcome.error->sqlstate);
  return outcome;
}

void log_failure(const Begun& begun, const Outcome& outcome) {
  pg::in_transaction([&] {
    pg::as_extension([&] {
      pg::Spi spi;
      if (store::end_run(spi, begun.run_id, outcome, settings::suspend_after()))
        store::note_changed(begun.job.id);
    });
  });
}

}  // namespace

void carry_out(int slot, const shmem::Assignment& run) {
  const core::Instant started = pg::now();
  const store::UsageMeter meter;
  const Begun begun = begin(run, started);
  shmem::note_begin(slot, begun.run_id);
  if (begun.run_id == 0) return;

  Outcome outcome;
  if (begun.refused) {
    outcome.status = "error";
    outcome.error = begun.refused;
    outcome.permanent = !core::is_transient(begun.refused->sqlstate);
  } else {
    try {
      do_work(slot, begun, meter);
      return;
    } catch (...) {
      accept_cancel(false);
      QueryCancelPending = false;  // one that came during the abort
      outcome = failed();
    }
  }
  outcome.missed = shmem::missed_so_far(slot);
  outcome.usage = meter.so_far();
  log_failure(begun, outcome);
}

}  // namespace metrics_refresh::worker
