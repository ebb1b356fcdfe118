#include "queue/upkeep/mover.hpp"

#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "store/queue/numbers.hpp"

namespace metrics_refresh::queue {
namespace {

constexpr std::size_t kMost = 1000;
// The end of the transaction that has locked a row tells the mover, so it need not look often.
constexpr core::Duration kLocked = std::chrono::seconds{1};
// The clock may be set back, so a job is looked for at the latest after this time.
constexpr core::Duration kLongestSleep = std::chrono::hours{24 * 366 * 300};

core::Instant instant_of(TimestampTz time) {
  if (TIMESTAMP_IS_NOBEGIN(time)) return core::Instant::min();
  return pg::to_instant(time);
}

}  // namespace

void Mover::expect(TimestampTz due) {
  if (due <= cursor_.run_at) cursor_ = {due, 0};
  due_.no_later_than(instant_of(due));
}

void Mover::work(core::Instant now) {
  if (!due_.take(now, kLongestSleep)) return;
  store::queue::DueCursor cursor = cursor_;
  store::queue::DueJobs jobs;
  const TimestampTz until = pg::to_timestamptz(now);
  std::optional<TimestampTz> next;
  const bool moved = try_change("jobs that are due cannot be moved now", [&](pg::Spi& spi) {
    const std::uint8_t segment = store::queue::lock_segment_for_rows();
    jobs = store::queue::move_due(spi, segment, cursor, until, kMost);
    for (const Unended& job : jobs.moved) note_ready(job);
    for (const Unended& job : jobs.dead) note_dead(job);
    if (!jobs.is_more) next = store::queue::next_due(spi, cursor);
  });
  if (!moved) return due_.failed(now);
  due_.succeeded();
  cursor_ = cursor;
  if (jobs.is_more) due_.at_once();
  // A row that was due before, and is still there, is locked.
  if (next) due_.no_later_than(std::max(instant_of(*next), *next <= until ? now + kLocked : now));
}

}  // namespace metrics_refresh::queue
