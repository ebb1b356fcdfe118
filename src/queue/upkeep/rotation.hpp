// Turns the ring of segments (core/queue/segment_policy.hpp): opens the next one, copies
// stragglers, and empties those whose jobs have ended.
#pragma once

#include <array>
#include <vector>

#include "core/queue/segment_policy.hpp"
#include "queue/upkeep/due.hpp"
#include "queue/upkeep/stragglers.hpp"
#include "store/queue/segments.hpp"

namespace metrics_refresh::queue {

class Rotation {
 public:
  /// Reads the state of the segments and tells shared memory the current one. Returns false if that
  /// is not possible now. REQUIRES: at the start of the scheduler, before work().
  bool read();
  /// Segments that may contain jobs: a bit for each.
  std::uint8_t segments_in_use() const;

  /// Jobs were added or have ended.
  void expect(core::Instant now);
  /// Takes one step if it is time. REQUIRES: the live counts are exact.
  void work(core::Instant now);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  struct Known {
    core::queue::SegmentState state = core::queue::SegmentState::kFree;
    core::Instant since;
    core::Instant not_before = core::Instant::min();
    std::int64_t ended = 0;  // rows; of a sealed segment
    /// The live count says 0, but a row without end mark was found; or the other way round. It can
    /// be wrong for a moment, since it changes after a commit.
    bool has_live = false, has_none = false;
  };

  using Facts = std::array<core::queue::SegmentFacts, core::queue::kSegments>;
  bool look(Facts& facts);
  void take(const core::queue::SegmentStep& step, core::Instant now);
  bool open(std::uint8_t next, core::Instant now);
  void empty(std::uint8_t segment, core::Instant now);
  void copy(std::uint8_t segment, core::Instant now);

  std::array<Known, core::queue::kSegments> known_;
  Stragglers stragglers_;
  Due due_;
  core::Instant looked_at_ = core::Instant::min();
};

}  // namespace metrics_refresh::queue
