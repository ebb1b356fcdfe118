// When the storage of ready jobs is used again. The rows lie in a ring of segments, which are only
// appended to. A segment takes new jobs until it is large (kCurrent), then none (kSealed). When all
// of its jobs have ended, it is emptied at once (kFree). The few jobs that keep a segment from that
// are copied to the current one.
//
//   kFree ──open──▶ kCurrent ──the next one is opened──▶ kSealed ──empty──▶ kFree
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>

#include "core/instant.hpp"
#include "core/queue/spans.hpp"

namespace metrics_refresh::core::queue {

enum class SegmentState : std::uint8_t { kFree, kCurrent, kSealed };

struct SegmentFacts {
  SegmentState state = SegmentState::kFree;
  std::int64_t bytes = 0;  // of the jobs, or of the claims if these are more
  std::int64_t rows = 0;   // about; jobs that have not ended, and end marks or claims
  std::int64_t live = 0;   // jobs that have not ended, as far as known
  Instant since;           // of the state
  Instant not_before;      // a step for it was tried without success; the next try
};

struct SegmentStep {
  enum class Kind {
    kNothing,
    kOpenNext,     // `next` becomes the current segment
    kCopyForward,  // jobs of `segment` that do not run move to the current one
    kEmpty         // `segment` becomes free
  };
  Kind kind = Kind::kNothing;
  std::uint8_t segment = 0, next = 0;
  /// When to ask again without news; nothing if there is no need to.
  std::optional<Instant> look_again;
  /// The current segment is too large, and there is no free one.
  bool is_full = false;
};

/// A new segment is opened when the current one has this size, which is about 500,000 small jobs.
constexpr std::int64_t kSegmentBytes = 64 << 20;
/// A current segment whose jobs have all ended is in use for this time.
constexpr Duration kSegmentAge = std::chrono::minutes{10};
/// A sealed segment is left alone for this time. After it, its live jobs are copied if they are
/// less than an eighth of its rows; after kSegmentAge, if they are less than half. To copy more
/// would gain little: jobs that must not start would be copied again and again.
constexpr Duration kStragglerAge = std::chrono::seconds{10};

/// The next step for the ring of `kSegments` segments.
SegmentStep next_segment_step(const SegmentFacts* segments, Instant now) noexcept;

}  // namespace metrics_refresh::core::queue
