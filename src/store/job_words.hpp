// The words of the options on_missed and on_overlap.
#pragma once

#include "core/scheduler/scheduler_events.hpp"

#include "store/words.hpp"

namespace metrics_refresh::store {

template <>
struct WordsOf<core::OnMissed> {
  static constexpr Word<core::OnMissed> all[] = {
      {core::OnMissed::kOnce, "once"},
      {core::OnMissed::kSkip, "skip"},
  };
};

template <>
struct WordsOf<core::OnOverlap> {
  static constexpr Word<core::OnOverlap> all[] = {
      {core::OnOverlap::kSkip, "skip"},
      {core::OnOverlap::kQueueOne, "queue_one"},
  };
};

}  // namespace metrics_refresh::store
