// Removes the remains of incremental views that were dropped or changed, in short transactions of
// the scheduler. A pass checks all of them. If some cannot be removed, the delay until the next
// pass doubles. A session that keeps a lock thus cannot delay the runs of the scheduler.
#pragma once

#include <deque>
#include <optional>

#include "engine/incremental/setup/sweep.hpp"
#include "pg/time.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

class Sweep {
 public:
  /// Requests a pass, because there may be something to remove.
  void expect() {
    if (!at_) at_ = core::Instant::min();
  }

  /// Does a part of a pass, if it is time for one. It takes about 50 ms, and one wait for a lock.
  void work(core::Instant now);

  /// When to call work() again without a call of expect().
  std::optional<core::Instant> try_again_at() const { return at_; }

 private:
  bool read();

  std::optional<core::Instant> at_ =
      core::Instant::min();            // a pass is due at the start of the scheduler
  std::deque<std::int64_t> ids_;       // the numbers that remain in this pass
  engine::TriggersByNumber triggers_;  // read after the numbers
  bool busy_ = false;                  // something could not be removed in this pass
  std::size_t turn_ = 0;               // number of passes so far
  Backoff backoff_;
};

}  // namespace metrics_refresh::worker
