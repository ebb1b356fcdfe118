// Which segment of the table of ready jobs takes new rows, and which ones can be emptied. A segment
// is written as the current one until it is full, is sealed then, and is emptied when all its jobs
// have ended. The few that are left over are copied to the current one, so that they do not keep a
// whole segment.
//
//   free -> current -> sealed -> free
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>

#include "core/instant.hpp"
#include "core/queue/spans.hpp"

namespace metrics_refresh::core::queue {

constexpr std::int64_t kFullSegment = std::int64_t{64} * 1024 * 1024;  // bytes
constexpr Duration kOldSegment = std::chrono::minutes{10};

struct Segment {
  enum class State : std::uint8_t { kFree, kCurrent, kSealed };
  State state = State::kFree;
  std::int64_t bytes = 0;
  std::int64_t rows = 0;  // with those that have ended, or an estimate
  std::int64_t live = 0;  // of them; see SegmentRing::is_exact
  Instant since;          // when it got this state
};

struct SegmentRing {
  Segment segments[kSegments];
  bool is_exact = false;  // the live numbers are; if not, only the size of the current one counts
};

struct SegmentSteps {
  int next = -1;              // the segment that becomes the current one; -1: the present one stays
  bool lacks_free = false;    // the current one is full, and there is no free one
  std::uint8_t to_empty = 0;  // sealed ones without a live job: bits
  int to_copy = -1;           // the sealed one whose live jobs are copied to the current one
  /// When there may be something else to do without news. Instant::max(): never.
  Instant look_again = Instant::max();
};
/// REQUIRES: exactly one segment is current.
SegmentSteps segment_steps(const SegmentRing& ring, Instant now) noexcept;

}  // namespace metrics_refresh::core::queue
