// The jobs that a worker has claimed at once. The worker starts them in their order; those that it
// has not started yet can be stolen from the back, held, or given back.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>

#include "core/queue/claimed_set.hpp"
#include "core/queue/spans.hpp"
#include "core/queue/turns.hpp"

namespace metrics_refresh::core::queue {

/// The most jobs of a worker at a time.
constexpr std::uint32_t kMostInBite = 64;

struct Item {
  enum class State : std::uint8_t {
    kWaiting,    // then kStarted or kGone
    kStarted,    // then kCommitted or kGone
    kCommitted,  // its transaction has committed: never to be given back; then kGone
    kGone        // ended, given back, stolen or held
  };
  JobNumber job = 0;
  Tid tid;
  std::uint8_t segment = 0;
  State state = State::kGone;
};

struct Bite {
  OwnerId owner = 0;
  TypeId type = 0;
  std::uint32_t lane = kNone;
  Instant begun;
  std::int64_t window = 0;  // in which the starts are booked if the type has a rate limit
  std::uint32_t count = 0;  // of items
  std::uint32_t next = 0;   // all before it have been started, or are gone
  std::uint32_t waiting = 0, open = 0;  // open: not gone
  Item items[kMostInBite];

  bool empty() const noexcept { return open == 0; }
  void add(const Item& item) noexcept {
    items[count++] = item;
    ++open;
    if (item.state == Item::State::kWaiting) ++waiting;
  }
  void remove(Item& item) noexcept {
    if (item.state == Item::State::kWaiting) --waiting;
    item.state = Item::State::kGone;
    if (--open == 0) count = next = 0;
  }
  /// Returns null if the job is not here.
  Item* find(JobNumber job) noexcept {
    for (std::uint32_t i = 0; i < count; ++i)
      if (items[i].job == job && items[i].state != Item::State::kGone) return &items[i];
    return nullptr;
  }
  const Item* find(JobNumber job) const noexcept { return const_cast<Bite*>(this)->find(job); }
  /// Returns the next job that waits, or null.
  Item* next_waiting() noexcept {
    while (next < count && items[next].state != Item::State::kWaiting) ++next;
    return next < count ? &items[next] : nullptr;
  }
  /// The same, without a change.
  const Item* look_at_next() const noexcept {
    for (std::uint32_t i = next; i < count; ++i)
      if (items[i].state == Item::State::kWaiting) return &items[i];
    return nullptr;
  }
};

}  // namespace metrics_refresh::core::queue
