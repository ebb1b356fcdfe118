// A job is held before it is read for the copy, so that no worker starts it meanwhile. Its new row
// gets the next version. The holds end with the transaction (store/queue/news.hpp).
#include "queue/upkeep/stragglers.hpp"

#include <array>
#include <memory>

#include "queue/upkeep/changes.hpp"
#include "store/queue/news.hpp"
#include "store/queue/numbers.hpp"
#include "store/queue/segments.hpp"

namespace metrics_refresh::queue {
namespace {

constexpr std::size_t kMost = 1000;

void copy_held(const std::vector<store::queue::Place>& places) {
  const std::uint8_t to = store::queue::lock_segment_for_rows();
  pg::call([] { PushActiveSnapshot(GetLatestSnapshot()); });
  const std::vector<Unended> moved =
      store::queue::copy_forward(places.data(), places.size(), to, GetActiveSnapshot());
  pg::call([] { PopActiveSnapshot(); });
  for (const Unended& job : moved) note_ready(job);
  if (!moved.empty())
    store::queue::note_marks(places.front().segment, static_cast<std::int32_t>(moved.size()));
}

}  // namespace

Stragglers::Result Stragglers::copy(std::uint8_t segment) {
  if (segment_ != segment) *this = {};
  const auto jobs = std::make_unique<std::array<Unended, kMost>>();
  store::queue::UnendedRead read;
  const bool copied = try_change("jobs cannot be copied to another segment now", [&](pg::Spi&) {
    read = store::queue::read_unended(segment, until_, PG_INT64_MAX, GetActiveSnapshot(),
                                      jobs->data(), kMost);
    const std::vector<store::queue::Place> held = hold_unclaimed(jobs->data(), read.count);
    if (!held.empty()) copy_held(held);
  });
  if (!copied) return Result::kFailed;
  has_seen_ = has_seen_ || read.count > 0;
  until_ = read.until;
  segment_ = segment;
  if (read.until < PG_INT64_MAX) return Result::kMore;
  const bool has_seen = has_seen_;
  *this = {};
  return has_seen ? Result::kEnd : Result::kNone;
}

}  // namespace metrics_refresh::queue
