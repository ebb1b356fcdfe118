#include "queue/upkeep/segment.hpp"

#include "pg/guard.hpp"
#include "shmem/queue/place.hpp"
#include "store/queue/hot.hpp"

namespace metrics_refresh::queue {
namespace {

std::uint8_t known_segment() {
  const int segment = shmem::queue::current_segment();
  if (segment < 0)
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "the current segment of the job queue is not known");
  return static_cast<std::uint8_t>(segment);
}

}  // namespace

std::uint8_t lock_current_segment() { return store::queue::lock_current_segment(known_segment); }

}  // namespace metrics_refresh::queue
