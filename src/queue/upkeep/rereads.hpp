// Reads the jobs of segments that shared memory does not know: all of them at the start of the
// server, and later those for which there was no room, or of transactions that could not list them.
#pragma once

#include <optional>

#include "queue/upkeep/due.hpp"
#include "shmem/queue/place.hpp"

namespace metrics_refresh::queue {

class Rereads {
 public:
  /// These segments must be read: a bit for each. Those for which there was no room are read once a
  /// second at most, since there is room again only when jobs have ended.
  void expect(std::uint8_t segments, core::Instant now);
  /// The same, but without a pause. Another scheduler knows of it if this one ends.
  void expect_at_once(std::uint8_t segments);

  /// Reads some jobs and posts them, if it is time.
  void work(core::Instant now);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  void begin(core::Instant now);
  bool read_some();

  std::uint8_t wanted_ = 0;
  int segment_ = -1;  // that is being read
  shmem::queue::JobNumber until_ = 0, last_ = 0;
  Due due_;
  core::Instant began_ = core::Instant::min();
};

}  // namespace metrics_refresh::queue
