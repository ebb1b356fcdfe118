// The main loop of the scheduler of one database.
//
// JobFeed and Dispatch supply events, and core::Scheduler decides. This file defines the order of
// the steps, the sleep between them, and the exit. Each step returns the time at which it must be
// repeated. The loop sleeps until the earliest of these times, or until its latch is set:
//
//   collect results -> tick: decide and assign -> publish -> sweep -> sleep -> read news -> ...
#include "core/queue/segment_policy.hpp"
#include "core/scheduler/scheduler.hpp"

#include "worker/scheduler_main.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "pg/role_watch.hpp"
#include "pg/sleeper.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "queue/upkeep/upkeep.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "shmem/queue_share.hpp"
#include "shmem/shmem.hpp"
#include "shmem/starving.hpp"
#include "shmem/worker_claims.hpp"
#include "store/job_changes.hpp"
#include "worker/dispatch.hpp"
#include "worker/hand_over.hpp"
#include "worker/job_feed.hpp"
#include "worker/job_owners.hpp"
#include "worker/process.hpp"
#include "worker/queue_services.hpp"
#include "worker/sweep.hpp"
#include "worker/yielding.hpp"

namespace metrics_refresh::worker {
namespace {

using core::Instant;

// A worker needs less than this to start and connect.
constexpr core::Duration kLead = std::chrono::milliseconds(250);
// The delay until a worker of another owner that was asked to exit has probably exited.
constexpr core::Duration kLookForRoom = std::chrono::milliseconds(20);
// If the server has one worker, the queue keeps it for this time while runs wait.
constexpr core::Duration kTurnBesideRuns = std::chrono::milliseconds(250);
// The number of waiting runs that waiting_runs() can show for a database.
constexpr std::size_t kShownWaiting = 100;
// An idle scheduler stays longer if there are many jobs, because the next one must read all of
// them.
constexpr core::Duration kStayPerJob = std::chrono::milliseconds(10);

bool clean_exit = false;

void on_exit(int, Datum) { shmem::detach_scheduler(MyDatabaseId, !clean_exit); }

[[noreturn]] void leave() {
  clean_exit = true;
  pg::call([] { proc_exit(0); });
  std::abort();  // not reached
}

// Exits, and removes the entry of the database. If there is news already, another scheduler starts.
[[noreturn]] void leave_for_good() {
  shmem::terminate_workers(MyDatabaseId);  // an earlier scheduler may have died before this step
  (void)shmem::forget_database(MyDatabaseId);
  leave();
}

// The scheduler executes the same few statements, which use keys. They are planned once. A table
// may be empty at that time and have 100,000 rows later, so sequential scans are disabled.
void plan_once() {
  pg::call([] {
    for (const auto& [name, value] : {std::pair("plan_cache_mode", "force_generic_plan"),
                                      std::pair("enable_seqscan", "off"), std::pair("jit", "off")})
      SetConfigOption(name, value, PGC_USERSET, PGC_S_SESSION);
  });
}

// Commits of the scheduler do not wait for a synchronous standby, because a missing standby would
// stop all runs. After a failover the next scheduler writes lost changes again.
void wait_for_no_standby() {
  pg::call([] { SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION); });
}

std::int64_t steady(std::optional<Instant> time) {
  return time ? pg::steady_now() + (*time - pg::now()).count() : shmem::kNever;
}

std::optional<Instant> earlier(std::optional<Instant> a, std::optional<Instant> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

class SchedulerProcess {
 public:
  explicit SchedulerProcess(Oid extension) : feed_(extension), dispatch_(feed_) {}

  void run() {
    shmem::release_unstarted(MyDatabaseId);
    // The slots are read before the jobs. If a run ends in between, its end is still collected
    // later. The runs are adopted after the jobs are read, because the scheduler can mark only
    // known jobs as running.
    const std::vector<shmem::SlotView> under_way = shmem::unfinished_slots(MyDatabaseId);
    read_news();
    while (feed_.has_unread()) {
      sleep_until(feed_.try_again_at());
      read_news();
    }
    dispatch_.adopt(under_way, events_);
    Instant last_activity = pg::now();
    for (;;) {
      dispatch_.collect(events_);
      // Runs that are under way may end before the scheduler exits.
      if (feed_.is_at_rest() && !shmem::has_tasks(MyDatabaseId)) leave_for_good();
      const Instant now = pg::now();
      if (!events_.empty()) last_activity = now;
      std::optional<Instant> wake_up =
          earlier(tick(now), earlier(feed_.try_again_at(), dispatch_.try_again_at()));
      wake_up = earlier(wake_up, earlier(hand_overs_.try_again_at(), end_of_restore()));
      wake_up = earlier(wake_up, earlier(make_ready(now), end_overdue()));
      publish(wake_up);
      // The time of the next sweep counts only if it may run. Otherwise it would be due at once,
      // and the loop would not sleep.
      const bool may_sweep = shmem::restored_until(MyDatabaseId) == 0;
      if (may_sweep) sweep_.work(now);
      if (feed_.take_role_news()) {
        owners_.expect();
        services_.forget_refused();
      }
      owners_.work(now);
      wake_up = earlier(wake_up, owners_.try_again_at());
      upkeep_.work(now, may_do_for_queue());
      wake_up = earlier(wake_up, upkeep_.try_again_at());
      serve_queue(now);
      wake_up = earlier(wake_up, services_.try_again_at());
      if (may_sweep) wake_up = earlier(wake_up, sweep_.try_again_at());
      sleep_until(earlier(wake_up, leave_at(now, last_activity)));
      read_news();
      if (!events_.empty()) sweep_.expect();
      // The latch may have been set because a worker of another database became free.
      if (scheduler_.waiting_count() > 0) events_.push_back(core::WorkerFreed{});
    }
  }

 private:
  void sleep_until(std::optional<Instant> wake_up) {
    if (shmem::times_woken(MyDatabaseId) != woken_) wake_up = Instant::min();
    (void)sleeper_.sleep_until(wake_up);
  }

  void read_news() {
    const std::uint64_t woken = shmem::times_woken(MyDatabaseId);
    if (std::exchange(woken_, woken) != woken) upkeep_.expect();
    hand_overs_.serve();
    if (feed_.read(events_)) return;
    shmem::terminate_workers(MyDatabaseId);
    if (OidIsValid(extension_oid())) {
      // The extension was dropped and created again, and job numbers begin again. A new scheduler
      // must not learn of the runs of the old jobs.
      shmem::free_dead_slots(MyDatabaseId);
      pg::call([] { shmem::post_changes(MyDatabaseId, nullptr, 0); });
    } else {
      (void)shmem::forget_database(MyDatabaseId);  // if it fails, another scheduler starts
    }
    leave();
  }

  bool may_begin() const {
    return settings::enabled() && !feed_.is_at_rest() && shmem::restored_until(MyDatabaseId) == 0;
  }

  // Jobs of the queue have workers of their own, if there is more than one.
  void serve_queue(Instant now) {
    if (feed_.is_at_rest()) shmem::end_rests_in(MyDatabaseId);
    if (scheduler_.waiting_count() > 0 && may_begin())
      shmem::lend_only_worker(kTurnBesideRuns.count());
    services_.set_needed(upkeep_.needs_workers());
    if (upkeep_.take_work()) services_.expect();
    services_.work(now, may_begin());
  }

  static queue::MayDo may_do_for_queue() {
    if (shmem::restored_until(MyDatabaseId) != 0) return queue::MayDo::kNothing;
    return settings::enabled() ? queue::MayDo::kAll : queue::MayDo::kNoClaims;
  }

  // The time at which a restore stops delaying runs, if its sessions do not end before.
  static std::optional<Instant> end_of_restore() {
    const std::int64_t until = shmem::restored_until(MyDatabaseId);
    if (until == 0) return std::nullopt;
    return pg::now() + core::Duration(until - pg::steady_now());
  }

  // Decides and acts until each decision is carried out or refused. Returns the time of the next
  // tick. The scheduler runs ahead of the clock by kHandOver.
  std::optional<Instant> tick(Instant now) {
    for (;;) {
      const core::Limits limits = {may_begin(),
                                   shmem::free_workers(MyDatabaseId, settings::database_workers()),
                                   settings::role_workers(),
                                   shmem::runs_by_owner(),
                                   settings::yield_after(),
                                   shmem::starves_elsewhere(MyDatabaseId)};
      const core::Plan plan = scheduler_.tick(now + kHandOver, std::exchange(events_, {}), limits);
      for (const core::Action& action : plan.actions) {
        if (const auto* missed = std::get_if<core::Missed>(&action)) {
          dispatch_.count(*missed);
        } else if (const auto* start = std::get_if<core::Start>(&action)) {
          if (!dispatch_.hand_over(*start))
            events_.push_back(core::StartRefused{start->job, start->member});
        }
      }
      if (!events_.empty()) continue;
      if (plan.starving) make_room_for_starving();
      if (!plan.wake_up) return std::nullopt;
      return *plan.wake_up - kHandOver;
    }
  }

  // Terminates the workers of runs that continue after a cancel or their max_runtime. Returns the
  // time of the next check.
  std::optional<Instant> end_overdue() {
    const std::int64_t grace = std::chrono::microseconds(settings::cancel_grace()).count();
    const std::int64_t next = shmem::end_overdue(MyDatabaseId, grace);
    std::optional<Instant> at;
    if (next != shmem::kNever) at = pg::now() + core::Duration(next - pg::steady_now());
    if (!upkeep_.needs_workers()) return at;
    const TimestampTz next_job = shmem::queue::end_overdue(grace);
    const bool is_none = next_job == PG_INT64_MAX || next_job == 0;  // 0: the place is gone
    return is_none ? at : earlier(at, pg::to_instant(next_job));
  }

  void publish(std::optional<Instant> looks_at) {
    std::optional<Instant> next_due = scheduler_.next_due();
    if (const std::optional<Instant> job = upkeep_.next_due())
      next_due = earlier(next_due, std::max(*job, pg::now()));
    const std::size_t waiting = may_begin() ? scheduler_.waiting_count() : 0;
    shmem::publish_schedule(MyDatabaseId, next_due ? pg::to_timestamptz(*next_due) : shmem::kNever,
                            static_cast<int>(waiting), steady(looks_at));
    if (waiting == 0 && !shows_waiting_) return;
    std::vector<shmem::WaitingRun> runs;
    if (waiting > 0)
      for (const core::Start& start : scheduler_.waiting(kShownWaiting))
        runs.push_back({MyDatabaseId, start.job, start.member.value_or(shmem::kNoMember),
                        pg::to_timestamptz(start.due)});
    shmem::publish_waiting(MyDatabaseId, runs);
    shows_waiting_ = waiting > 0;
  }

  // Starts workers for jobs that are due soon. Returns the time of the next check.
  std::optional<Instant> make_ready(Instant now) {
    if (!may_begin()) return std::nullopt;
    const std::optional<Instant> next_due = scheduler_.next_due();
    if (!next_due) return std::nullopt;
    if (*next_due - kLead > now) return *next_due - kLead;
    const auto most = static_cast<std::size_t>(
        std::max(0, shmem::free_workers(MyDatabaseId, settings::database_workers())));
    if (dispatch_.make_ready(scheduler_.due_until(now + kLead, most))) return now + kLookForRoom;
    return std::nullopt;  // the loop wakes up for the due time anyway
  }

  // Exits if nothing happened for a while and nothing is due for a while. Otherwise returns the
  // time of the next check, or nothing if the end of a run or the next due time wakes the loop
  // anyway.
  std::optional<Instant> leave_at(Instant now, Instant last_activity) {
    const core::Duration limit =
        std::max(settings::scheduler_idle_timeout(),
                 kStayPerJob * static_cast<std::int64_t>(scheduler_.job_count()));
    const std::optional<Instant> next_due = scheduler_.next_due();
    if (scheduler_.waiting_count() > 0 || feed_.try_again_at() || dispatch_.try_again_at() ||
        sweep_.try_again_at() || owners_.try_again_at() || (next_due && *next_due - now < limit) ||
        shmem::has_tasks(MyDatabaseId) || upkeep_.is_needed())
      return std::nullopt;
    if (now - last_activity < limit) return last_activity + limit;
    if (shmem::leave_database(MyDatabaseId)) leave();
    return std::nullopt;
  }

  core::Scheduler scheduler_;
  JobFeed feed_;
  Dispatch dispatch_;
  HandOvers hand_overs_;
  Sweep sweep_;
  JobOwners owners_;
  queue::Upkeep upkeep_;
  QueueServices services_{dispatch_};
  pg::Sleeper sleeper_;
  std::vector<core::Event> events_;
  std::uint64_t woken_ = 0;  // times_woken() when news was last read
  bool shows_waiting_ = false;
};

}  // namespace
}  // namespace metrics_refresh::worker

extern "C" void mr_scheduler_main(Datum argument) {
  namespace pg = metrics_refresh::pg;
  namespace shmem = metrics_refresh::shmem;
  namespace worker = metrics_refresh::worker;
  pg::boundary([argument] {
    worker::install_signals();
    worker::connect(DatumGetObjectId(argument));
    if (!shmem::attach_scheduler(MyDatabaseId)) worker::leave();
    pg::call([] { before_shmem_exit(worker::on_exit, 0); });
    worker::plan_once();
    worker::wait_for_no_standby();
    pg::watch_roles();
    // This comes before the jobs are read, and even if the extension is missing, because a prepared
    // transaction may create it.
    metrics_refresh::pg::in_transaction([] {
      metrics_refresh::pg::Spi spi;
      metrics_refresh::store::record_prepared_transactions(spi);
    });
    const Oid extension = worker::extension_oid();
    // In a template, a connection would block CREATE DATABASE.
    if (!OidIsValid(extension) || worker::is_database_at_rest()) worker::leave_for_good();
    worker::SchedulerProcess(extension).run();
  });
}
