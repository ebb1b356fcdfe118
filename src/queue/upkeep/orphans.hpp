// Ends jobs whose type was dropped: those of transactions that were open when drop_job_type() saw
// no job of the type. No worker could ever start them, so they are dead.
#pragma once

#include "queue/upkeep/types.hpp"
#include "shmem/queue/place.hpp"

namespace metrics_refresh::queue {

class Orphans {
 public:
  void expect() { due_.at_once(); }

  /// Looks at some jobs of the segments in use (a bit for each), if it is time. Returns true if it
  /// has looked at all of them.
  bool work(core::Instant now, const Types& types, std::uint8_t segments);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  bool end_some(const Types& types);

  unsigned left_ = 0;       // segments to be read
  bool is_behind_ = false;  // another session is changing such a job
  std::uint8_t segment_ = 0;
  shmem::queue::JobNumber until_ = 0;
  Due due_;
};

}  // namespace metrics_refresh::queue
