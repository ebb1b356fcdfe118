// Copies the jobs of a sealed segment that do not run to the current one, so that the segment can
// be emptied.
#pragma once

#include "shmem/queue/place.hpp"

namespace metrics_refresh::queue {

class Stragglers {
 public:
  enum class Result {
    kMore,   // call it again
    kEnd,    // all that can be copied has been
    kNone,   // all jobs of the segment have ended
    kFailed  // see the server log
  };
  /// Copies up to 1,000 jobs of the segment, beginning after those of the last call.
  Result copy(std::uint8_t segment);

 private:
  int segment_ = -1;  // of the last call, if there are more
  shmem::queue::JobNumber until_ = 0;
  bool has_seen_ = false;  // a job that has not ended
};

}  // namespace metrics_refresh::queue
