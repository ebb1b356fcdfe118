#include "queue/upkeep/history.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "shmem/queue/place.hpp"

namespace metrics_refresh::queue {
namespace {

using core::Instant;
using store::queue::kPeriods;
using store::queue::Period;

constexpr core::Duration kShortest = std::chrono::hours{24};
// A setting may have changed, so the periods are looked at from time to time.
constexpr core::Duration kLongestSleep = std::chrono::hours{1};

// The current period and those that are kept must fit into the ring, with some to spare.
core::Duration length() { return std::max(kShortest, settings::queue_history() / 8); }

Instant opened_at(const Period& period, Instant now) {
  return period.opened_at ? std::min(pg::to_instant(*period.opened_at), now) : now;
}

Instant ends_at(const Period& period, Instant now) {
  const Instant closed = period.closed_at ? std::min(pg::to_instant(*period.closed_at), now) : now;
  return closed + settings::queue_history();
}

}  // namespace

bool History::read() {
  periods_.clear();
  return store::try_with_own_tables(
      "the periods of the history cannot be read now",
      [this](pg::Spi& spi) { periods_ = store::queue::read_periods(spi); });
}

void History::work(Instant now) {
  if (!due_.take(now, kLongestSleep)) return;
  if (!read()) return due_.failed(now);
  due_.no_later_than(now + kLongestSleep);
  const Period* current = nullptr;
  for (const Period& period : periods_) {
    if (period.state == Period::State::kCurrent) current = &period;
    if (period.state != Period::State::kClosed) continue;
    // A step at a time: an empty period is another state of all of them.
    if (ends_at(period, now) <= now) return empty(period, now);
    due_.no_later_than(ends_at(period, now));
  }
  if (current == nullptr) return;
  shmem::queue::set_current_period(current->number);
  if (opened_at(*current, now) + length() > now)
    return due_.no_later_than(opened_at(*current, now) + length());
  // If the next one is still kept, because the setting was raised, the current one stays.
  const Period& next = periods_[(current->number + 1U) % kPeriods];
  if (next.state == Period::State::kEmpty) open(current->number, next, now);
}

void History::open(std::uint8_t current, const Period& next, Instant now) {
  if (!store::try_with_own_tables(
          "a period of the history cannot be opened now", [&](pg::Spi& spi) {
            store::queue::index_last_pages(spi, current);
            store::queue::open_period(spi, next.number, pg::to_timestamptz(now));
          }))
    return due_.failed(now);
  due_.succeeded();
  shmem::queue::set_current_period(next.number);
  due_.at_once();
}

void History::empty(const Period& period, Instant now) {
  bool is_empty = false;
  const bool done = store::try_with_own_tables(
      "a period of the history cannot be emptied now", [&](pg::Spi& spi) {
        is_empty = store::queue::empty_period(spi, period.number);
        if (is_empty) shmem::queue::count_truncation();
      });
  if (!done || !is_empty) return due_.failed(now);
  due_.succeeded();
  due_.at_once();
}

}  // namespace metrics_refresh::queue
