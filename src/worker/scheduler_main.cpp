#include "core/scheduler.hpp"

#include "worker/scheduler_main.hpp"

#include <algorithm>
#include <map>

#include "pg/identity.hpp"
#include "pg/privilege.hpp"
#include "pg/settings.hpp"
#include "pg/sleeper.hpp"
#include "pg/time.hpp"
#include "pg/time_zone.hpp"
#include "pg/transaction.hpp"
#include "shmem/area.hpp"
#include "store/runs.hpp"
#include "worker/process.hpp"
#include "worker/worker_main.hpp"

namespace metrics_refresh::worker {
namespace {

using core::Instant;
using store::JobRecord;

// A table of ours that somebody locked delays news of changed jobs, never the runs of known ones.
constexpr char kOwnLockTimeout[] = "2s";
constexpr core::Duration kReadAgain = std::chrono::seconds(1);

bool clean_exit = false;

void on_exit(int, Datum) { shmem::detach_scheduler(MyDatabaseId, !clean_exit); }

[[noreturn]] void leave() {
  clean_exit = true;
  pg::call([] { proc_exit(0); });
  std::abort();  // not reached
}

// Reads or writes our own tables in a transaction of its own.
template <typename Body>
void with_tables(Body&& body) {
  pg::in_transaction([&body] {
    pg::call([] {
      (void)set_config_option("lock_timeout", kOwnLockTimeout, PGC_USERSET, PGC_S_SESSION,
                              GUC_ACTION_LOCAL, true, 0, false);
    });
    pg::as_extension([&body] {
      pg::Spi spi;
      body(spi);
    });
  });
}

Oid extension_oid() {
  Oid oid = InvalidOid;
  pg::in_transaction(
      [&oid] { oid = pg::call([] { return get_extension_oid("metrics_refresh", true); }); });
  return oid;
}

core::Job to_core(const JobRecord& record) {
  core::Job job;
  job.id = record.id;
  job.runnable = record.active && !record.suspended;
  job.handled_until = record.handled_until;
  job.on_missed = record.on_missed == "skip" ? core::OnMissed::kSkip : core::OnMissed::kOnce;
  if (record.schedule) {
    job.schedule = core::Schedule::parse(*record.schedule);
    job.zone = &pg::time_zone_or_default(record.timezone);
  }
  return job;
}

class SchedulerProcess {
 public:
  explicit SchedulerProcess(Oid extension) : extension_(extension) {}

  void run() {
    close_orphans();
    read_jobs({true, true, 0, {}});
    for (const shmem::SlotView& view : shmem::busy_slots(MyDatabaseId))
      events_.push_back(core::RunAdopted{view.slot.run.job_id});
    Instant last_activity = pg::now();
    for (;;) {
      take_news();
      const Instant now = pg::now();
      if (!events_.empty()) last_activity = now;
      const std::optional<Instant> wake_up = tick(now);
      publish();
      leave_if_idle(now, last_activity);
      const Instant idle_at = last_activity + settings::scheduler_idle_timeout();
      sleeper_.sleep_until(may_idle() ? earliest(wake_up, idle_at) : wake_up);
    }
  }

 private:
  static std::optional<Instant> earliest(std::optional<Instant> a, Instant b) {
    return a && *a < b ? a : b;
  }

  // --- news

  void take_news() {
    const shmem::Changes changes = shmem::take_changes(MyDatabaseId);
    if (changes.any) read_jobs(changes);
    if (unread_.any && pg::now() >= read_again_at_) read_jobs({false, false, 0, {}});
    collect_ended_runs();
    check_starting_workers();
    if (scheduler_.has_waiting_runs()) events_.push_back(core::WorkerFreed{});
  }

  // Where the tables cannot be read now, the changes stay unread and it is tried again soon.
  void read_jobs(const shmem::Changes& changes) {
    for (int i = 0; i < changes.count; ++i) unread_ids_.push_back(changes.jobs[i]);
    unread_.any = unread_.any || changes.any;
    unread_.all = unread_.all || changes.all;
    if (!unread_.any) return;
    if (extension_oid() != extension_) extension_is_gone();
    std::vector<JobRecord> jobs;
    std::vector<store::Request> requests;
    try {
      with_tables([&](pg::Spi& spi) {
        jobs = unread_.all ? store::load_jobs(spi) : store::load_jobs(spi, unread_ids_);
        requests = store::load_requests(spi);
      });
    } catch (const pg::PgError&) {
      log_current_exception("the jobs cannot be read now");
      read_again_at_ = pg::now() + kReadAgain;
      return;
    }
    note_jobs(jobs);
    note_requests(requests);
    unread_ = {};
    unread_ids_.clear();
  }

  void note_jobs(const std::vector<JobRecord>& jobs) {
    std::vector<std::int64_t> gone = unread_ids_;
    if (unread_.all)
      for (const auto& [id, job] : jobs_) gone.push_back(id);
    for (const JobRecord& job : jobs) {
      gone.erase(std::remove(gone.begin(), gone.end(), job.id), gone.end());
      jobs_[job.id] = job;
      try {
        events_.push_back(core::JobChanged{to_core(job)});
      } catch (const std::exception&) {
        // Written by somebody who went past the table's own check.
        log_current_exception(("job " + job.name + " has no valid schedule").c_str());
        events_.push_back(core::JobRemoved{job.id});
      }
    }
    for (const std::int64_t id : gone) {
      jobs_.erase(id);
      events_.push_back(core::JobRemoved{id});
    }
  }

  void note_requests(const std::vector<store::Request>& requests) {
    std::map<std::int64_t, std::int64_t> open;  // run -> job
    for (const store::Request& request : requests) {
      open[request.run_id] = request.job_id;
      events_.push_back(core::TriggerRequested{request.run_id, request.job_id});
    }
    for (const auto& [run, job] : requests_)
      if (open.count(run) == 0) events_.push_back(core::TriggerWithdrawn{run});
    requests_ = std::move(open);
  }

  [[noreturn]] static void extension_is_gone() {
    shmem::terminate_workers(MyDatabaseId);
    (void)shmem::forget_database(MyDatabaseId);
    leave();
  }

  // --- runs

  void collect_ended_runs() {
    bool died = false;
    for (const shmem::SlotView& view : shmem::collect_finished(MyDatabaseId)) {
      events_.push_back(core::RunEnded{view.slot.run.job_id});
      requests_.erase(view.slot.run.run_id);
      if (view.slot.state != shmem::SlotState::kDead) continue;
      died = true;
      if (!view.slot.noted) log_unbegun(view.slot);
    }
    if (!died) return;
    close_orphans();
    unread_.any = true;  // a request that the dead worker did not take is still there
  }

  // A process that the server could not start, or that could not connect.
  void check_starting_workers() {
    for (auto it = starting_.begin(); it != starting_.end();) {
      BackgroundWorkerHandle* const handle = it->second.handle;
      pid_t pid;
      const BgwHandleStatus status =
          pg::call([handle, &pid] { return GetBackgroundWorkerPid(handle, &pid); });
      if (status == BGWH_NOT_YET_STARTED) {
        ++it;
        continue;
      }
      if (status == BGWH_STOPPED) {
        shmem::mark_never_started(it->first, it->second.generation);
        pg::call([] { SetLatch(MyLatch); });
      }
      pg::call([handle] { pfree(handle); });
      it = starting_.erase(it);
    }
  }

  // A run whose worker died before it had committed the run's first row.
  void log_unbegun(const shmem::WorkerSlot& slot) {
    const auto job = jobs_.find(slot.run.job_id);
    if (job == jobs_.end()) return;
    store::RunHead head = store::head_of(job->second);
    if (slot.run.run_id != 0) head.run_id = slot.run.run_id;
    head.manual = slot.run.trigger == shmem::Trigger::kManual;
    head.due = pg::to_instant(slot.run.due);
    head.started = pg::now();
    const bool started = slot.started_at != 0;
    store::Outcome outcome;
    outcome.status = started ? "interrupted" : "error";
    outcome.error = store::RunError{
        started ? "the worker ended before the run began" : "the worker could not start or connect",
        "08006", "",
        "The server log says why; a command's owner needs the right "
        "to connect to the database.",
        ""};
    attempt("a run that did not begin cannot be logged", [&](pg::Spi& spi) {
      const std::int64_t run_id = store::begin_run(spi, head);
      store::end_run(spi, run_id, outcome, 0);
    });
  }

  // Rows of runs that no slot knows: after a crash, or of a worker that was terminated.
  void close_orphans() {
    // Only this process hands out runs, so none can begin between this list and the snapshot.
    std::vector<std::int64_t> live;
    for (const shmem::SlotView& view : shmem::busy_slots(MyDatabaseId))
      live.push_back(view.slot.run.run_id);
    attempt("interrupted runs cannot be closed now",
            [&live](pg::Spi& spi) { store::close_orphans(spi, live); });
  }

  template <typename Body>
  static void attempt(const char* failing, Body&& body) {
    try {
      with_tables(body);
    } catch (const pg::PgError&) {
      log_current_exception(failing);
    }
  }

  // --- decisions

  std::optional<Instant> tick(Instant now) {
    std::optional<Instant> wake_up;
    bool refused;
    do {
      const core::Plan plan = scheduler_.tick(now, std::exchange(events_, {}), settings::enabled());
      refused = false;
      for (const core::Action& action : plan.actions) {
        if (const auto* start = std::get_if<core::Start>(&action)) {
          if (hand_over(*start)) continue;
          events_.push_back(core::StartRefused{start->job});
          refused = true;
        } else if (const auto* missed = std::get_if<core::Missed>(&action)) {
          shmem::count_missed(MyDatabaseId, missed->job);
        }
      }
      wake_up = plan.wake_up;
    } while (refused);
    if (unread_.any) wake_up = earliest(wake_up, read_again_at_);
    return wake_up;
  }

  // Gives the run to a worker. False where none is free.
  bool hand_over(const core::Start& start) {
    const shmem::Assignment run{start.run.value_or(0), start.job, pg::to_timestamptz(start.due),
                                start.run ? shmem::Trigger::kManual : shmem::Trigger::kSchedule};
    const Oid role = worker_role(jobs_.at(start.job));
    const shmem::Claim claim = shmem::claim_slot(MyDatabaseId, role, run);
    if (claim.index < 0) return false;
    if (!claim.start) return true;
    BackgroundWorkerHandle* const handle =
        start_process({"mr_worker_main", "metrics_refresh worker", "metrics_refresh worker",
                       Int32GetDatum(claim.index), claim.generation});
    if (handle == nullptr) {
      shmem::release_claim(claim.index);
      return false;
    }
    starting_[claim.index] = {handle, claim.generation};
    return true;
  }

  // Whom the worker connects as. A command's owner who cannot connect gets a worker all the same,
  // one that logs why the command is not run.
  static Oid worker_role(const JobRecord& job) {
    if (job.is_refresh()) return InvalidOid;
    Oid role = InvalidOid;
    pg::in_transaction([&] {
      role = pg::role_oid(job.owner);
      if (OidIsValid(role) && !pg::can_log_in(role)) role = InvalidOid;
    });
    return role;
  }

  // --- leaving

  void publish() {
    const std::optional<Instant> next_due = scheduler_.next_due();
    shmem::publish_schedule(MyDatabaseId, next_due ? pg::to_timestamptz(*next_due) : shmem::kNever,
                            settings::enabled() && scheduler_.has_waiting_runs());
  }

  bool may_idle() const {
    return !scheduler_.has_waiting_runs() && shmem::busy_slots(MyDatabaseId).empty() &&
           !unread_.any;
  }

  void leave_if_idle(Instant now, Instant last_activity) {
    const core::Duration limit = settings::scheduler_idle_timeout();
    const std::optional<Instant> next_due = scheduler_.next_due();
    if (now - last_activity < limit || (next_due && *next_due - now < limit) || !may_idle()) return;
    if (shmem::may_leave(MyDatabaseId)) leave();
  }

  struct Starting {
    BackgroundWorkerHandle* handle;
    std::uint64_t generation;
  };

  Oid extension_;
  core::Scheduler scheduler_;
  pg::Sleeper sleeper_;
  std::vector<core::Event> events_;
  std::map<std::int64_t, JobRecord> jobs_;
  std::map<std::int64_t, std::int64_t> requests_;  // run -> job, as last read
  std::map<int, Starting> starting_;               // by slot
  struct {
    bool any = false;
    bool all = false;
  } unread_;
  std::vector<std::int64_t> unread_ids_;
  Instant read_again_at_;
};

}  // namespace
}  // namespace metrics_refresh::worker

extern "C" void mr_scheduler_main(Datum argument) {
  namespace pg = metrics_refresh::pg;
  namespace shmem = metrics_refresh::shmem;
  namespace worker = metrics_refresh::worker;
  pg::boundary([argument] {
    worker::install_signals();
    worker::connect(DatumGetObjectId(argument), InvalidOid);
    if (!shmem::attach_scheduler(MyDatabaseId)) {
      worker::clean_exit = true;
      pg::call([] { proc_exit(0); });
    }
    pg::call([] { before_shmem_exit(worker::on_exit, 0); });
    const Oid extension = worker::extension_oid();
    if (!OidIsValid(extension)) {
      (void)shmem::forget_database(MyDatabaseId);
      worker::leave();
    }
    worker::SchedulerProcess(extension).run();
  });
}
