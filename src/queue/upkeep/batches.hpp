// The ends of batches: when the last job of a closed batch has ended, its callback is enqueued in
// the transaction that deletes the batch, so exactly once.
//
// Shared memory says of which batches the last job may have ended; the rows decide.
#pragma once

#include <vector>

#include "queue/upkeep/due.hpp"
#include "queue/upkeep/mover.hpp"
#include "queue/upkeep/types.hpp"
#include "shmem/queue/awaited.hpp"

namespace metrics_refresh::queue {

class Batches {
 public:
  /// Batches were made, closed, or have ends; all of them if the news is not complete.
  void expect() { due_.at_once(); }
  void expect_all() { is_complete_ = false, due_.at_once(); }

  /// Takes one step if it is time.
  void work(core::Instant now, const Types& types, Mover& mover);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  bool read_some();
  bool end(const std::vector<std::int64_t>& batches, XLogRecPtr lsn, const Types& types,
           Mover& mover);

  Due due_;
  bool is_complete_ = true;
  std::int64_t until_ = 0;             // of a pass over all batches
  std::vector<std::int64_t> batches_;  // to look at
  XLogRecPtr lsn_ = InvalidXLogRecPtr;
};

}  // namespace metrics_refresh::queue
