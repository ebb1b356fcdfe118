#include "worker/limits.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

// Sends a signal to this process at a time by pg::steady_now(), from the signal handler of a timer
// of the server. The server's timers use the wall clock. If it was set forward, a timer fires too
// early, and is then set again.
class Alarm {
 public:
  constexpr explicit Alarm(int signal) : signal_(signal) {}
  void install(timeout_handler_proc on_ring) {
    if (installed_) return;
    timer_ = pg::call([on_ring] { return RegisterTimeout(USER_TIMEOUT, on_ring); });
    installed_ = true;
  }
  void set(std::int64_t time) {
    time_ = time;
    if (has_rung_) return;
    pg::call([this] { start(); });
  }
  void stop() {
    if (installed_) pg::call([this] { disable_timeout(timer_, false); });
  }
  void ring() noexcept {
    if (pg::steady_now() < time_) return start();
    has_rung_ = true;
    kill(MyProcPid, signal_);
  }
  bool has_rung() const noexcept { return has_rung_; }
  void forget() noexcept { has_rung_ = false; }

 private:
  // The timer uses whole milliseconds. One more is added, so that it does not fire too early.
  void start() noexcept {
    const core::Duration left(std::max<std::int64_t>(time_ - pg::steady_now(), 0));
    enable_timeout_after(timer_, core::to_milliseconds(left + std::chrono::milliseconds(1)));
  }

  int signal_;
  bool installed_ = false;
  TimeoutId timer_ = USER_TIMEOUT;
  std::int64_t time_ = 0;
  volatile sig_atomic_t has_rung_ = false;
};

Alarm max_runtime_alarm(SIGINT);
Alarm grace_alarm(SIGTERM);
std::int64_t deadline = 0;  // by pg::steady_now()

// The state of the server's timer must be read before the abort at exit stops it. Callbacks run in
// reverse order, so this one is registered after those of the server.
bool transaction_timed_out = false;

void record_exit(int, Datum) { transaction_timed_out = pg::has_transaction_timed_out(); }

void watch_exit() {
  static bool watched = false;
  if (!std::exchange(watched, true)) pg::call([] { before_shmem_exit(record_exit, 0); });
}

void stop_alarms() {
  max_runtime_alarm.stop();
  grace_alarm.stop();
}

// Cancels are accepted before throw_cancel() reads the slot. A request that comes in between thus
// raises an error by one of the two ways, and is not lost.
void put_in_force(int slot) {
  const std::int64_t grace = settings::cancel_grace().count();
  accept_cancel(true);
  max_runtime_alarm.set(deadline);
  grace_alarm.set(deadline + grace);
  shmem::set_limits(slot, deadline, grace);
}

void throw_cancel(int slot) {
  if (shmem::read_slot(slot).cancel_requested)
    throw pg::SqlError(ERRCODE_QUERY_CANCELED, "canceled before it began");
}

}  // namespace

core::Duration max_runtime_of(const store::JobRecord& job) {
  const Oid role = job.owner_oid;
  if (pg::call([role] { return superuser_arg(role); })) return job.max_runtime;
  return std::min(job.max_runtime, settings::max_job_runtime());
}

void start_limits(int slot, core::Duration max_runtime) {
  watch_exit();
  max_runtime_alarm.install([] { max_runtime_alarm.ring(); });
  grace_alarm.install([] { grace_alarm.ring(); });
  max_runtime_alarm.forget();
  deadline = pg::steady_now() + max_runtime.count();
  put_in_force(slot);
  throw_cancel(slot);
}

void resume_limits(int slot) {
  put_in_force(slot);
  if (exceeded_max_runtime())
    throw pg::SqlError(ERRCODE_QUERY_CANCELED, "the run exceeded its max_runtime");
  throw_cancel(slot);
}

void lift_limits(int slot) {
  accept_cancel(false);
  stop_alarms();
  shmem::lift_limits(slot);
}

bool is_to_end(int slot) {
  return exceeded_max_runtime() || shmem::read_slot(slot).cancel_requested;
}

bool exceeded_max_runtime() { return max_runtime_alarm.has_rung(); }

shmem::EndReason own_end_reason() {
  if (grace_alarm.has_rung()) return shmem::EndReason::kMaxRuntime;
  return transaction_timed_out ? shmem::EndReason::kTransactionTimeout : shmem::EndReason::kNone;
}

}  // namespace metrics_refresh::worker
