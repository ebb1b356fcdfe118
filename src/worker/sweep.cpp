#include "worker/sweep.hpp"

#include <algorithm>

#include "store/incremental.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {
namespace {

// The limit of one step of a pass, because the scheduler also has runs to start.
constexpr core::Duration kBudget = std::chrono::milliseconds(50);

// A session that locks its own table blocks the removal of the triggers on it. Therefore a pass
// waits for one lock at most, and takes the others only if they are free.
engine::Swept sweep(std::int64_t id, const engine::TriggersByNumber& triggers, bool may_wait) {
  engine::Swept swept = engine::Swept::kMore;
  while (swept == engine::Swept::kMore) {
    if (!try_with_own_tables(
            "what is left over of an incremental view cannot be removed now",
            [&](pg::Spi& spi) { swept = engine::sweep_incremental(spi, id, triggers, may_wait); }))
      return engine::Swept::kBusy;
    may_wait = false;
  }
  return swept;
}

}  // namespace

bool Sweep::read() {
  std::vector<std::int64_t> ids;
  const bool read = try_with_own_tables("what is left over of incremental views cannot be read now",
                                        [&](pg::Spi& spi) {
                                          ids = store::incremental_leftovers(spi);
                                          if (!ids.empty())
                                            triggers_ = engine::find_capturing_triggers();
                                        });
  ids_.assign(ids.begin(), ids.end());
  // The pass waits for its first lock only. Each pass begins with another number, so that each one
  // has its turn.
  if (!ids_.empty()) std::rotate(ids_.begin(), ids_.begin() + turn_++ % ids_.size(), ids_.end());
  return read;
}

void Sweep::work(core::Instant now) {
  // If the clock was set back, the time to work is at most kLongestDelay late.
  if (!at_ || !is_time(*at_, now, kLongestDelay)) return;
  bool may_wait = false;
  if (ids_.empty()) {
    busy_ = !read();
    may_wait = true;
  }
  for (const core::Instant begun = pg::now(); !ids_.empty(); may_wait = false) {
    if (sweep(ids_.front(), triggers_, may_wait) == engine::Swept::kBusy) busy_ = true;
    ids_.pop_front();
    if (pg::now() - begun > kBudget) break;
  }
  at_.reset();
  if (ids_.empty()) triggers_.clear();
  if (!ids_.empty()) {
    at_ = pg::now();  // the rest of the pass
  } else if (busy_) {
    at_ = backoff_.next(pg::now());
  } else {
    backoff_.reset();
  }
}

}  // namespace metrics_refresh::worker
