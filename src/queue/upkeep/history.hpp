// Turns the ring of the history: completed jobs are kept for metrics_refresh.queue_history, in
// children of equal length, and removed by emptying the oldest child.
#pragma once

#include <vector>

#include "queue/upkeep/due.hpp"
#include "store/queue/periods.hpp"

namespace metrics_refresh::queue {

class History {
 public:
  void expect() { due_.at_once(); }

  /// Takes one step if it is time.
  void work(core::Instant now);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  bool read();
  void open(std::uint8_t current, const store::queue::Period& next, core::Instant now);
  void empty(const store::queue::Period& period, core::Instant now);

  std::vector<store::queue::Period> periods_;  // empty: not read yet
  Due due_;
};

}  // namespace metrics_refresh::queue
