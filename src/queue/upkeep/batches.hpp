// The ends of batches: when the last job of a closed batch has ended, its callback is enqueued in
// the transaction that deletes the batch, so exactly once.
//
// Shared memory says of which batches the last job may have ended; the rows decide.
#pragma once

#include <set>
#include <vector>

#include "queue/upkeep/due.hpp"
#include "queue/upkeep/mover.hpp"
#include "queue/upkeep/types.hpp"
#include "shmem/queue/awaited.hpp"

namespace metrics_refresh::queue {

class Batches {
 public:
  /// Batches were made, closed, or have ends.
  void expect() { ends_due_.at_once(); }
  /// Shared memory may not know all of them.
  void expect_all() { pass_due_.at_once(); }

  /// Takes one step of each kind if it is time.
  void work(core::Instant now, const Types& types, Mover& mover);
  std::optional<core::Instant> try_again_at() const {
    return earlier(pass_due_.at(), ends_due_.at());
  }

 private:
  void take_ends(core::Instant now, const Types& types, Mover& mover);
  void go_on_with_pass(core::Instant now, const Types& types, Mover& mover);
  /// Keeps those in `batches` that could not be ended, and then returns false.
  bool end(std::vector<std::int64_t>& batches, const Types& types, Mover& mover);
  bool end_together(const std::int64_t* batches, std::size_t count, const Types& types,
                    Mover& mover);

  Due ends_due_;
  std::vector<std::int64_t> unended_;  // batches that could not be looked at
  std::set<std::int64_t> locked_;      // and those whose row another transaction has locked
  // A pass over all batches, in the order of their numbers.
  Due pass_due_;
  std::int64_t until_ = 0;
  bool wants_pass_ = false;
  core::Instant pass_began_ = core::Instant::min();
};

}  // namespace metrics_refresh::queue
