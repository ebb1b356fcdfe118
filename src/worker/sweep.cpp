#include "worker/sweep.hpp"

#include <algorithm>
#include <vector>

#include "engine/incremental_sweep.hpp"
#include "store/incremental.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {
namespace {

constexpr core::Duration kLongestDelay = std::chrono::minutes(1);

// True where nothing is left of it.
bool sweep(std::int64_t id) {
  bool more = true;
  while (more) {
    const bool done =
        try_with_own_tables("what is left over of an incremental view cannot be removed now",
                            [&](pg::Spi& spi) { more = engine::sweep_incremental(spi, id); });
    if (!done) return false;
  }
  return true;
}

}  // namespace

void Sweep::work(core::Instant now) {
  // After a step of the clock it may be late, but not lost.
  if (!at_ || (*at_ > now && *at_ <= now + kLongestDelay)) return;
  std::vector<std::int64_t> ids;
  bool done = try_with_own_tables("what is left over of incremental views cannot be read now",
                                  [&](pg::Spi& spi) { ids = store::incremental_leftovers(spi); });
  for (const std::int64_t id : ids) done = sweep(id) && done;
  at_.reset();
  if (done) {
    delay_ = {};
    return;
  }
  delay_ = std::min(std::max(delay_ * 2, kTryAgain), kLongestDelay);
  at_ = pg::now() + delay_;
}

}  // namespace metrics_refresh::worker
