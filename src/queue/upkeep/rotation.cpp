#include "queue/upkeep/rotation.hpp"

#include <algorithm>

#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "shmem/queue/live_counts.hpp"
#include "store/queue/sizes.hpp"

namespace metrics_refresh::queue {
namespace {

using core::Instant;
using core::queue::SegmentState;
using core::queue::SegmentStep;
using store::queue::Segment;

// The size of the current segment is looked at so often while the queue is in use.
constexpr core::Duration kPace = std::chrono::seconds{1};
// A session has a lock on the segment, or a transaction that has ended a row of it is open.
constexpr core::Duration kRetry = std::chrono::seconds{1};
// Jobs of the segment are running, so they cannot be copied.
constexpr core::Duration kWait = std::chrono::seconds{10};

constexpr core::Duration kSlowPace = std::chrono::minutes{1};

SegmentState state_of(Segment::State state) {
  switch (state) {
    case Segment::State::kCurrent:
      return SegmentState::kCurrent;
    case Segment::State::kSealed:
      return SegmentState::kSealed;
    case Segment::State::kFree:
      break;
  }
  return SegmentState::kFree;
}

Instant since(const Segment& segment, Instant now) {
  const std::optional<TimestampTz> at =
      segment.state == Segment::State::kSealed ? segment.sealed_at : segment.opened_at;
  return at ? std::min(pg::to_instant(*at), now) : now;
}

bool has_current_rows(const std::array<core::queue::SegmentFacts, core::queue::kSegments>& facts) {
  return std::any_of(facts.begin(), facts.end(), [](const core::queue::SegmentFacts& segment) {
    return segment.state == SegmentState::kCurrent && segment.live > 0;
  });
}

}  // namespace

bool Rotation::read() {
  std::vector<Segment> segments;
  if (!store::try_with_own_tables(
          "the segments of the job queue cannot be read now",
          [&segments](pg::Spi& spi) { segments = store::queue::read_segments(spi); }))
    return false;
  known_ = {};
  for (const Segment& segment : segments) {
    Known& known = known_[segment.number];
    known.state = state_of(segment.state);
    known.since = since(segment, pg::now());
    if (known.state == SegmentState::kCurrent) shmem::queue::set_current_segment(segment.number);
  }
  due_.at_once();
  return true;
}

std::uint8_t Rotation::segments_in_use() const {
  unsigned bits = 0;
  for (std::uint8_t i = 0; i < core::queue::kSegments; ++i)
    if (known_[i].state != SegmentState::kFree) bits |= 1U << i;
  return static_cast<std::uint8_t>(bits);
}

void Rotation::expect(Instant now) {
  due_.no_later_than(std::max(now, std::min(looked_at_, now) + kPace));
}

bool Rotation::look(Facts& facts) {
  const shmem::queue::SegmentCounts live = shmem::queue::segment_counts();
  for (std::uint8_t i = 0; i < core::queue::kSegments; ++i) {
    const Known& known = known_[i];
    facts[i].state = known.state;
    facts[i].since = known.since;
    facts[i].not_before = known.not_before;
    facts[i].live = std::max<std::int64_t>(live.rows[i], 0);
    if (known.has_none) facts[i].live = 0;
    if (known.has_live) facts[i].live = std::max<std::int64_t>(facts[i].live, 1);
  }
  return store::try_with_own_tables(
      "the segments of the job queue cannot be read now", [&](pg::Spi&) {
        for (std::uint8_t i = 0; i < core::queue::kSegments; ++i) {
          if (known_[i].state == SegmentState::kFree) continue;
          facts[i].bytes = std::max(store::queue::stored_bytes(i), store::queue::claim_bytes(i));
          facts[i].rows = store::queue::spent_rows(i) + facts[i].live;
        }
      });
}

void Rotation::work(Instant now) {
  if (!due_.take(now, core::queue::kSegmentAge)) return;
  looked_at_ = now;
  Facts facts;
  if (!look(facts)) return due_.failed(now);
  due_.succeeded();
  const SegmentStep step = core::queue::next_segment_step(facts.data(), now);
  if (step.look_again) due_.no_later_than(*step.look_again);
  // Jobs that may not start are added without waking the scheduler.
  if (has_current_rows(facts)) due_.no_later_than(now + kSlowPace);
  if (step.kind != SegmentStep::Kind::kNothing) take(step, now);
}

void Rotation::take(const SegmentStep& step, Instant now) {
  switch (step.kind) {
    case SegmentStep::Kind::kOpenNext:
      if (!open(step.next, now)) return due_.failed(now);
      break;
    case SegmentStep::Kind::kEmpty:
      empty(step.segment, now);
      break;
    case SegmentStep::Kind::kCopyForward:
      copy(step.segment, now);
      break;
    case SegmentStep::Kind::kNothing:
      break;
  }
  due_.at_once();
}

// Rows of the new segment cannot survive a crash without its state: their commits come later in the
// WAL.
bool Rotation::open(std::uint8_t next, Instant now) {
  if (!try_change("a segment of the job queue cannot be opened now", [next, now](pg::Spi& spi) {
        store::queue::open_segment(spi, next, pg::to_timestamptz(now));
      }))
    return false;
  for (Known& known : known_)
    if (known.state == SegmentState::kCurrent) known = {SegmentState::kSealed, now};
  known_[next] = {SegmentState::kCurrent, now};
  shmem::queue::set_current_segment(next);
  return true;
}

void Rotation::empty(std::uint8_t segment, Instant now) {
  using store::queue::Emptied;
  Emptied result = Emptied::kInUse;
  if (!try_change("a segment of the job queue cannot be emptied now", [&](pg::Spi& spi) {
        result = store::queue::empty_segment(spi, segment);
        if (result == Emptied::kEmptied) shmem::queue::count_truncation();
      }))
    result = Emptied::kInUse;
  Known& known = known_[segment];
  known.has_none = false;
  known.has_live = result == Emptied::kNotEnded;
  if (result == Emptied::kEmptied)
    known = {};
  else
    known.not_before = now + kRetry;
}

void Rotation::copy(std::uint8_t segment, Instant now) {
  Known& known = known_[segment];
  known.has_live = false;
  switch (stragglers_.copy(segment)) {
    case Stragglers::Result::kMore:
      return;
    case Stragglers::Result::kNone:
      known.has_none = true;
      return;
    case Stragglers::Result::kEnd:
      known.not_before = now + kWait;
      return;
    case Stragglers::Result::kFailed:
      known.not_before = now + kRetry;
      return;
  }
}

}  // namespace metrics_refresh::queue
