// Makes the live counts exact (shmem/queue/live_counts.hpp): at the start of the server, and after
// a transaction that has changed too much to list it. It reads all jobs that have not ended with
// one snapshot. That takes about a second for some million jobs; the scheduler does nothing else
// meanwhile.
#pragma once

#include "queue/upkeep/due.hpp"

namespace metrics_refresh::queue {

class Recount {
 public:
  void expect() { due_.at_once(); }

  /// Counts, if it is time. `segments` are those in use: a bit for each.
  void work(core::Instant now, std::uint8_t segments);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  Due due_;
};

}  // namespace metrics_refresh::queue
