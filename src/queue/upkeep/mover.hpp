// Moves jobs whose time has come from queue_later to the current segment.
//
// A cursor in the order of (run_at, id) says how far it has come, so that rows which are dead but
// not removed yet are behind it. Each commit that adds a job to queue_later, or has changed one,
// lowers the cursor to the run_at of that job.
#pragma once

#include "queue/upkeep/due.hpp"
#include "store/queue/later.hpp"

namespace metrics_refresh::queue {

class Mover {
 public:
  /// There may be a job with this run_at, or with a later one.
  void expect(TimestampTz due);
  /// Reads everything anew.
  void expect_all() { expect(DT_NOBEGIN); }

  /// Moves up to 1,000 jobs if it is time. REQUIRES: the types in shared memory are those of the
  /// table job_type, since a job of a missing type becomes dead.
  void work(core::Instant now);
  /// When to call work() again: when the next job is due.
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  store::queue::DueCursor cursor_;
  Due due_;
};

}  // namespace metrics_refresh::queue
