// One step at a time, because each is a transaction of its own. Emptying comes first: it makes the
// free segment that opening needs.
#include "core/queue/segment_policy.hpp"

namespace metrics_refresh::core::queue {
namespace {

void look_at(SegmentStep& step, Instant at) noexcept {
  if (!step.look_again || at < *step.look_again) step.look_again = at;
}

// When the jobs of a sealed segment that have not ended are copied.
std::optional<Instant> copies_at(const SegmentFacts& facts) noexcept {
  if (facts.live < facts.rows / 8) return facts.since + kStragglerAge;
  if (facts.live < facts.rows / 2) return facts.since + kSegmentAge;
  return std::nullopt;
}

SegmentStep::Kind step_for_sealed(const SegmentFacts& facts, Instant now) noexcept {
  if (facts.live <= 0) return SegmentStep::Kind::kEmpty;
  const std::optional<Instant> at = copies_at(facts);
  return at && now >= *at ? SegmentStep::Kind::kCopyForward : SegmentStep::Kind::kNothing;
}

bool is_done_with(const SegmentFacts& current, Instant now) noexcept {
  if (current.bytes >= kSegmentBytes) return true;
  return current.bytes > 0 && current.live <= 0 && now - current.since >= kSegmentAge;
}

// The ring is used in its order, so that each segment rests as long as possible.
std::optional<std::uint8_t> next_free(const SegmentFacts* segments, std::uint8_t after) noexcept {
  for (std::uint8_t i = 1; i < kSegments; ++i) {
    const auto index = static_cast<std::uint8_t>((after + i) % kSegments);
    if (segments[index].state == SegmentState::kFree) return index;
  }
  return std::nullopt;
}

}  // namespace

SegmentStep next_segment_step(const SegmentFacts* segments, Instant now) noexcept {
  SegmentStep step;
  std::optional<std::uint8_t> current;
  for (std::uint8_t i = 0; i < kSegments; ++i) {
    const SegmentFacts& facts = segments[i];
    if (facts.state == SegmentState::kCurrent) current = i;
    if (facts.state != SegmentState::kSealed) continue;
    const SegmentStep::Kind kind = step_for_sealed(facts, now);
    if (kind == SegmentStep::Kind::kNothing) {
      if (const auto at = copies_at(facts)) look_at(step, *at);
    } else if (facts.not_before > now) {
      look_at(step, facts.not_before);
    } else if (step.kind == SegmentStep::Kind::kNothing || kind == SegmentStep::Kind::kEmpty) {
      step.kind = kind;
      step.segment = i;
    }
  }
  if (step.kind == SegmentStep::Kind::kEmpty || !current) return step;
  const SegmentFacts& facts = segments[*current];
  if (!is_done_with(facts, now)) {
    if (facts.bytes > 0 && facts.live <= 0) look_at(step, facts.since + kSegmentAge);
    return step;
  }
  const std::optional<std::uint8_t> next = next_free(segments, *current);
  step.is_full = !next;
  if (next) step = {SegmentStep::Kind::kOpenNext, *current, *next, step.look_again, false};
  return step;
}

}  // namespace metrics_refresh::core::queue
