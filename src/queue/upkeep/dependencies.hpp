// Jobs that wait for the end of others (`after`). A waiter lies in queue_later, and a row of
// queue_dependency names each job that it waits for. When all of these have completed, it can
// start; if one of them is dead or canceled, it is canceled.
//
// The scheduler (1) awaits the jobs in shared memory, then (2) looks with a new snapshot whether
// they have ended. A job that ends later is in the ring of awaited ends. So no end is missed.
#pragma once

#include <vector>

#include "queue/upkeep/due.hpp"
#include "queue/upkeep/mover.hpp"
#include "shmem/queue/awaited.hpp"

namespace metrics_refresh::queue {

class Dependencies {
 public:
  /// There are new rows in queue_dependency, or all are unknown.
  void expect_all(core::Instant now);
  /// Awaited jobs have ended.
  void expect_ends() { ends_due_.at_once(); }

  /// Takes one step of each kind if it is time. Tells the mover of jobs that can start.
  void work(core::Instant now, Mover& mover);
  std::optional<core::Instant> try_again_at() const {
    return earlier(pass_due_.at(), ends_due_.at());
  }

 private:
  void take_ends(core::Instant now, Mover& mover);
  void go_on_with_pass(core::Instant now, Mover& mover);
  bool settle(const std::vector<std::int64_t>& jobs, Mover& mover);

  std::optional<shmem::queue::RingPosition> position_;
  // A pass over all jobs that are waited for, in the order of their numbers.
  Due pass_due_;
  bool is_in_pass_ = false, wants_another_ = false;
  std::int64_t until_ = 0;
  core::Instant pass_began_ = core::Instant::min();
  core::Duration pass_took_{};
  // Ends that could not be settled: another transaction may have locked a waiter.
  Due ends_due_;
  std::vector<std::int64_t> unsettled_;
};

}  // namespace metrics_refresh::queue
