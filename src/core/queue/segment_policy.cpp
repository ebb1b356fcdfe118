#include "core/queue/segment_policy.hpp"

#include <algorithm>

namespace metrics_refresh::core::queue {
namespace {

bool is_old(const Segment& segment, Instant now) noexcept {
  return now - segment.since >= kOldSegment;
}

// An idle queue also gets rid of the rows of ended jobs.
bool is_to_be_sealed(const SegmentRing& ring, const Segment& current, Instant now) noexcept {
  if (current.bytes >= kFullSegment) return true;
  return ring.is_exact && current.rows > 0 && current.live == 0 && is_old(current, now);
}

// A copy costs as much as an enqueue, and frees the rows of the jobs that have ended. So it is
// worth it at once if these are most of the rows, and later if they are half of them. A backlog in
// which most jobs still wait stays where it is.
bool is_to_be_copied(const Segment& segment, Instant now) noexcept {
  if (segment.live * 8 < segment.rows) return true;
  return segment.live * 2 < segment.rows && is_old(segment, now);
}

int free_after(const SegmentRing& ring, int current) noexcept {
  for (int i = 1; i < kSegments; ++i) {
    const int candidate = (current + i) % kSegments;
    if (ring.segments[candidate].state == Segment::State::kFree) return candidate;
  }
  return -1;
}

void look_at_sealed(const Segment& segment, int index, Instant now, SegmentSteps& steps) noexcept {
  if (segment.live <= 0)
    steps.to_empty = static_cast<std::uint8_t>(steps.to_empty | 1U << index);
  else if (!is_to_be_copied(segment, now)) {
    if (!is_old(segment, now))
      steps.look_again = std::min(steps.look_again, segment.since + kOldSegment);
  } else if (steps.to_copy < 0) {
    steps.to_copy = index;
  }
}

}  // namespace

SegmentSteps segment_steps(const SegmentRing& ring, Instant now) noexcept {
  SegmentSteps steps;
  for (int i = 0; i < kSegments; ++i) {
    const Segment& segment = ring.segments[i];
    if (segment.state == Segment::State::kSealed && ring.is_exact)
      look_at_sealed(segment, i, now, steps);
    if (segment.state != Segment::State::kCurrent) continue;
    if (is_to_be_sealed(ring, segment, now)) {
      steps.next = free_after(ring, i);
      steps.lacks_free = steps.next < 0;
    } else if (segment.rows > 0 && !is_old(segment, now)) {
      steps.look_again = std::min(steps.look_again, segment.since + kOldSegment);
    }
  }
  return steps;
}

}  // namespace metrics_refresh::core::queue
