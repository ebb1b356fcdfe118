#include "queue/flush_policy.hpp"

#include "shmem/shmem.hpp"

namespace metrics_refresh::queue {
namespace {

// Short jobs flush before the timer rings. It is of the server, and so of whole milliseconds.
constexpr core::Duration kRing = FlushPolicy::kLongest + std::chrono::milliseconds(1);

TimeoutId timer = USER_TIMEOUT;
bool is_installed = false;

// In the signal handler.
void ring() { shmem::ask_for_flush(); }

// The abort of a transaction stops all timers, so each job looks.
void start_timer() {
  if (is_installed && get_timeout_active(timer)) return;
  pg::call([] {
    if (!std::exchange(is_installed, true)) timer = RegisterTimeout(USER_TIMEOUT, ring);
    enable_timeout_after(timer, core::to_milliseconds(kRing));
  });
}

void stop_timer() {
  if (is_installed) pg::call([] { disable_timeout(timer, false); });
}

}  // namespace

void FlushPolicy::before_job(core::Duration mean) {
  if (position_ == InvalidXLogRecPtr) return;
  const bool is_long = mean.count() < 0 || mean > kLongest / 2;
  if (is_long || pg::steady_now() - since_ >= kLongest.count())
    flush();
  else
    start_timer();
}

void FlushPolicy::flush() {
  if (position_ == InvalidXLogRecPtr) return;
  stop_timer();
  pg::flush_log(position_);
  position_ = InvalidXLogRecPtr;
}

void FlushPolicy::leave_to_launcher() const noexcept {
  if (position_ != InvalidXLogRecPtr) shmem::ask_for_flush();
}

}  // namespace metrics_refresh::queue
