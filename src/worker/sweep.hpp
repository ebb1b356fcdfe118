// The scheduler's clean-up of what is left over of incremental views, in short transactions. A pass
// looks at each; after one that could not remove them all the next comes ever later, so that
// nobody who holds a table keeps the scheduler from its runs.
#pragma once

#include <deque>
#include <optional>

#include "engine/incremental/setup/sweep.hpp"
#include "pg/time.hpp"
#include "worker/backoff.hpp"

namespace metrics_refresh::worker {

class Sweep {
 public:
  /// Something may be left over.
  void expect() {
    if (!at_) at_ = core::Instant::min();
  }

  /// Does a part of what is to be done at `now`: some fifty milliseconds, and one wait for a lock.
  void work(core::Instant now);

  /// When to call work() again although nobody expects anything.
  std::optional<core::Instant> try_again_at() const { return at_; }

 private:
  bool read();

  std::optional<core::Instant> at_ =
      core::Instant::min();            // after a restart there may be something
  std::deque<std::int64_t> ids_;       // of this pass, that are still to be looked at
  engine::TriggersByNumber triggers_;  // found after them
  bool busy_ = false;                  // some of this pass could not be removed
  std::size_t turn_ = 0;               // whose turn it is to be waited for
  Backoff backoff_;
};

}  // namespace metrics_refresh::worker
