// Spans of job numbers that may be ready, in one list for each lane. A span is a hint: it covers
// all jobs that it is about, and may cover others, or jobs that have ended. Its first part is
// exact: each number there is a job of the lane. The rest must be read from the table before it can
// be claimed.
//
//   first .. exact_last   exact: can be claimed
//   exact_last+1 .. last  unknown: some of them are jobs of the lane
//
// The number of spans is fixed, and covering never fails for want of spans as long as the list has
// a span of the same segment: that span is widened, which makes the rest of it unknown. A list gets
// a new span only if it has fewer spans than are free. So a flood coarsens itself, and leaves spans
// to others: the next flood gets half of the rest.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>

#include "core/queue/array.hpp"
#include "core/queue/claimed_set.hpp"

namespace metrics_refresh::core::queue {

/// The number of segments of the table of ready jobs.
constexpr std::uint8_t kSegments = 8;

/// The place of a row in the file of its table; offset 0 if it is not known.
struct Tid {
  std::uint32_t block = 0;
  std::uint16_t offset = 0;
};

struct Span {
  JobNumber first = 0, exact_last = 0, last = 0;
  std::uint32_t after = kNone;  // the next one in its list
  Tid tid;                      // of the first job, if that is exact
  std::uint8_t segment = 0;

  bool has_exact() const noexcept { return exact_last >= first; }
  bool is_exact() const noexcept { return exact_last == last; }
};

struct SpanList {
  std::uint32_t front = kNone, back = kNone;
  std::uint32_t count = 0;
  bool empty() const noexcept { return front == kNone; }
};

class Spans {
 public:
  static constexpr std::size_t bytes(std::uint32_t count) noexcept {
    return Array<Span>::bytes(count);
  }
  void place(std::byte*& memory, std::uint32_t count) noexcept;

  /// Covers the jobs of `span` at the end, or before the front, of the list. Returns false if that
  /// is not possible: then the caller must see to it that the segment is read again.
  bool append(SpanList& list, const Span& span) noexcept;
  bool prepend(SpanList& list, const Span& span) noexcept;

  /// Takes the first `count` numbers off the front. REQUIRES: all of them are exact.
  void advance(SpanList& list, JobNumber count) noexcept;
  /// Takes the front off the list. The span stays occupied until release(), so that it can be put
  /// back in any case.
  std::uint32_t take_front(SpanList& list) noexcept;
  void put_front(SpanList& list, std::uint32_t index) noexcept;
  void release(std::uint32_t index) noexcept;
  void clear(SpanList& list) noexcept;

  Span& operator[](std::uint32_t index) noexcept { return spans_[index]; }
  const Span& operator[](std::uint32_t index) const noexcept { return spans_[index]; }
  std::uint32_t free_count() const noexcept { return free_count_; }

 private:
  // A list may take an eighth more spans than are free if it has none to widen, so that it can
  // follow the ring of segments.
  bool may_take(const SpanList& list, bool can_widen) const noexcept {
    return (can_widen ? list.count : list.count / 8) < free_count_;
  }
  std::uint32_t occupy(const Span& span) noexcept;

  Array<Span> spans_;
  std::uint32_t free_ = kNone;
  std::uint32_t free_count_ = 0;
};

}  // namespace metrics_refresh::core::queue
