#include "core/queue/spans.hpp"

#include <algorithm>

namespace metrics_refresh::core::queue {
namespace {

// Makes `span` cover all numbers of `other`, too.
void widen(Span& span, const Span& other) noexcept {
  if (other.first < span.first) {
    // The lower exact part remains. It may meet numbers of the higher one: they are the same jobs.
    span.exact_last = other.exact_last;
    span.first = other.first;
    span.tid = other.tid;
  }
  span.last = std::max(span.last, other.last);
}

bool joins(const Span& lower, const Span& higher) noexcept {
  return lower.is_exact() && higher.has_exact() && lower.last + 1 == higher.first;
}

}  // namespace

void Spans::place(std::byte*& memory, std::uint32_t count) noexcept {
  spans_.place(memory, count);
  free_ = kNone;
  free_count_ = 0;
  for (std::uint32_t i = count; i-- > 0;) release(i);
}

std::uint32_t Spans::occupy(const Span& span) noexcept {
  const std::uint32_t index = free_;
  free_ = spans_[index].after;
  --free_count_;
  spans_[index] = span;
  spans_[index].after = kNone;
  return index;
}

void Spans::release(std::uint32_t index) noexcept {
  spans_[index] = {};
  spans_[index].after = free_;
  free_ = index;
  ++free_count_;
}

bool Spans::append(SpanList& list, const Span& span) noexcept {
  Span* const back = list.empty() ? nullptr : &spans_[list.back];
  const bool can_widen = back != nullptr && back->segment == span.segment;
  const bool may_take_one = may_take(list, can_widen);
  // A place in the file is worth a span, as long as there are enough.
  const bool knows_place = span.tid.offset != 0 && may_take_one;
  if (can_widen && joins(*back, span) && !knows_place) {
    back->exact_last = span.exact_last;
    back->last = span.last;
    return true;
  }
  if (may_take_one) {
    const std::uint32_t index = occupy(span);
    (list.empty() ? list.front : spans_[list.back].after) = index;
    list.back = index;
    ++list.count;
    return true;
  }
  if (can_widen) widen(*back, span);
  return can_widen;
}

bool Spans::prepend(SpanList& list, const Span& span) noexcept {
  Span* const front = list.empty() ? nullptr : &spans_[list.front];
  const bool can_widen = front != nullptr && front->segment == span.segment;
  const bool may_take_one = may_take(list, can_widen);
  const bool knows_place = front != nullptr && front->tid.offset != 0 && may_take_one;
  if (can_widen && joins(span, *front) && !knows_place) {
    front->first = span.first;
    front->tid = span.tid;
    return true;
  }
  if (may_take_one) {
    put_front(list, occupy(span));
    return true;
  }
  if (can_widen) widen(*front, span);
  return can_widen;
}

void Spans::advance(SpanList& list, JobNumber count) noexcept {
  Span& front = spans_[list.front];
  front.first += count;
  front.tid = {};
  if (front.first > front.last) release(take_front(list));
}

std::uint32_t Spans::take_front(SpanList& list) noexcept {
  const std::uint32_t index = list.front;
  list.front = spans_[index].after;
  if (list.front == kNone) list.back = kNone;
  --list.count;
  spans_[index].after = kNone;
  return index;
}

void Spans::put_front(SpanList& list, std::uint32_t index) noexcept {
  spans_[index].after = list.front;
  list.front = index;
  if (list.back == kNone) list.back = index;
  ++list.count;
}

void Spans::clear(SpanList& list) noexcept {
  while (!list.empty()) release(take_front(list));
}

}  // namespace metrics_refresh::core::queue
