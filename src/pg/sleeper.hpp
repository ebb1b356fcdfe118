// The sleep of the background processes: until a wall-clock time, until the latch is set, or until
// the clock is set. Nothing else wakes them.
#pragma once

#include <optional>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

class Sleeper {
 public:
  /// REQUIRES: the process owns its latch (it is past BackgroundWorkerUnblockSignals).
  Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  /// Sleeps until `wake_up` or an earlier event; without a time, until an event. Wakes up at most
  /// one millisecond late. Then handles termination and a reload of the configuration. Returns true
  /// after a reload. Exits if the postmaster dies.
  bool sleep_until(std::optional<core::Instant> wake_up);

 private:
  WaitEventSet* events_;
  // A descriptor that becomes readable when the clock is set, or -1 if there is none.
  int clock_watch_;
};

}  // namespace metrics_refresh::pg
