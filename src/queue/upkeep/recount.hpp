// Makes the live counts exact (shmem/queue/live_counts.hpp): at the start of the server, and after
// a transaction that has changed too much to list it. It reads all jobs that have not ended with
// one snapshot. That takes about a second for some million jobs; the scheduler does nothing else
// meanwhile. So after a recount it has a pause that is some times as long.
#pragma once

#include "queue/upkeep/due.hpp"

namespace metrics_refresh::queue {

class Recount {
 public:
  void expect() { due_.no_later_than(not_before_); }

  /// Counts, if it is time. `segments` are those in use: a bit for each. Returns true if it has
  /// counted.
  bool work(core::Instant now, std::uint8_t segments);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  Due due_;
  core::Instant not_before_ = core::Instant::min();
};

}  // namespace metrics_refresh::queue
