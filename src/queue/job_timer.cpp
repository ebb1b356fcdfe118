#include "queue/job_timer.hpp"

#include <csignal>

#include "extension/settings.hpp"
#include "pg/guard.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::queue {
namespace {

TimeoutId timer = USER_TIMEOUT;
bool is_installed = false;
bool is_running = false;
std::int64_t due = 0;  // by pg::steady_now()
std::int64_t grace = 0;
volatile sig_atomic_t rings = 0;  // of the present job

// Timers of the server use whole milliseconds. One more is added, so that it does not fire early.
void set_timer() noexcept {
  const core::Duration left(std::max<std::int64_t>(due - pg::steady_now(), 0));
  enable_timeout_after(timer, core::to_milliseconds(left + std::chrono::milliseconds(1)));
}

// In the signal handler. The server's timers use the wall clock: if it was set forward, this comes
// too early, and the timer is set again.
void ring() {
  if (pg::steady_now() < due) return set_timer();
  rings = rings + 1;
  kill(MyProcPid, rings == 1 ? SIGINT : SIGTERM);
  due += grace;
  if (rings == 1) set_timer();
}

}  // namespace

void start_job_timer(core::Duration timeout) {
  rings = 0;
  is_running = timeout.count() > 0;
  if (!is_running) return;
  due = pg::steady_now() + timeout.count();
  grace = std::chrono::microseconds(settings::cancel_grace()).count();
  pg::call([] {
    if (!std::exchange(is_installed, true)) timer = RegisterTimeout(USER_TIMEOUT, ring);
    set_timer();
  });
}

void stop_job_timer() {
  if (!std::exchange(is_running, false)) return;
  pg::call([] { disable_timeout(timer, false); });
}

bool has_job_timed_out() noexcept { return rings > 0; }

}  // namespace metrics_refresh::queue
