// Sleeps until a wall-clock time.
//
// A timeout counts on the steady clock, so a step of the wall clock would make a process wake up
// too late. On Linux, a timerfd with TFD_TIMER_CANCEL_ON_SET becomes readable if the clock is set.
// It is part of the wait event set. On other systems each sleep is limited instead.
#include "pg/sleeper.hpp"

#ifdef __linux__
#include <sys/timerfd.h>
#endif
#include <unistd.h>

#include <algorithm>

#include "pg/time.hpp"

namespace metrics_refresh::pg {
namespace {

// Without a clock watch, a step of the clock is noticed after this time at the latest.
constexpr long kLongestBlindSleepMs = 60'000;
// The timeout of epoll is an int, which this limit does not exceed.
constexpr long kLongestSleepMs = 24L * 3600 * 1000;

#ifdef __linux__
// Arms a timer that never fires, but is canceled when the clock is set.
void arm(int descriptor) {
  itimerspec far = {};
  far.it_value.tv_sec = time(nullptr) + 100L * 365 * 24 * 3600;
  (void)timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
}

int open_clock_watch() {
  // The server limits descriptors that it does not manage.
  if (!AcquireExternalFD()) return -1;
  const int descriptor = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (descriptor < 0) {
    ReleaseExternalFD();
    return -1;
  }
  arm(descriptor);
  return descriptor;
}

void rearm_clock_watch(int descriptor) {
  std::uint64_t expirations;
  // read() fails with ECANCELED after the clock was set.
  (void)!read(descriptor, &expirations, sizeof expirations);
  arm(descriptor);
}
#else
int open_clock_watch() { return -1; }
void rearm_clock_watch(int) {}
#endif

long timeout_ms(std::optional<core::Instant> wake_up, bool blind) {
  const long longest = blind ? kLongestBlindSleepMs : kLongestSleepMs;
  if (!wake_up) return blind ? longest : -1;
  // The earliest instant means now. A subtraction from it would overflow.
  const core::Instant present = now();
  if (*wake_up <= present) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake_up - present).count();
  return std::clamp<long>(left, 0, longest);
}

}  // namespace

Sleeper::Sleeper() : clock_watch_(call([] { return open_clock_watch(); })) {
  const int watch = clock_watch_;
  events_ = call([watch] {
#if PG_VERSION_NUM >= 170000
    WaitEventSet* events = CreateWaitEventSet(nullptr, 3);
#else
    WaitEventSet* events = CreateWaitEventSet(TopMemoryContext, 3);
#endif
    AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    if (watch >= 0) AddWaitEventToSet(events, WL_SOCKET_READABLE, watch, nullptr, nullptr);
    return events;
  });
}

bool Sleeper::sleep_until(std::optional<core::Instant> wake_up) {
  const long timeout = timeout_ms(wake_up, clock_watch_ < 0);
  return call([this, timeout] {
    // Another wait may have reset the latch after an interrupt was signaled.
    CHECK_FOR_INTERRUPTS();
    WaitEvent event;
    const int count =
        WaitEventSetWait(events_, ConfigReloadPending ? 0 : timeout, &event, 1, PG_WAIT_EXTENSION);
    // If it were not armed again, it would stay readable and the process would not sleep any more.
    if (count > 0 && (event.events & WL_SOCKET_READABLE) != 0) rearm_clock_watch(clock_watch_);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (!ConfigReloadPending) return false;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
    return true;
  });
}

}  // namespace metrics_refresh::pg
