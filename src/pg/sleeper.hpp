// How our processes sleep: until a point of wall-clock time, a set latch, or a step of the clock.
// Nothing wakes them in between.
#pragma once

#include <optional>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

class Sleeper {
 public:
  /// REQUIRES: the process has its latch (it is past BackgroundWorkerUnblockSignals).
  Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  /// Sleeps until `wake_up` (nothing: for good) or an earlier event, at most a millisecond late.
  /// Then honours a termination and a reload of the configuration, for which it returns true. Exits
  /// with the postmaster.
  bool sleep_until(std::optional<core::Instant> wake_up);

 private:
  WaitEventSet* events_;
  int clock_watch_;  // a descriptor that is readable once the clock was set; -1 where there is none
};

}  // namespace metrics_refresh::pg
