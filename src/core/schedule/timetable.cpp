#include "core/schedule/timetable.hpp"

#include <algorithm>
#include <limits>

#include "core/schedule/spread.hpp"

namespace metrics_refresh::core {
namespace {

// A due time of the schedule counts if it is between `starts_at` and `ends_at` and in no blackout
// window. If it is in a window, the search continues at the end of the window.
//
// With jitter, a run starts later than it is due. start_of() computes the delay from the job and
// the due time alone, so a restarted server computes the same start.

constexpr Duration kInstant{1};
constexpr int kMostSkipped = 1000;

std::optional<Instant> end_of_blackout(const Timetable& timetable, Instant t) {
  std::optional<Instant> latest;
  for (const Blackout& blackout : timetable.blackouts)
    // Windows can overlap, so the latest end counts.
    if (const auto end = blackout.end_of(t, *timetable.zone))
      latest = std::max(latest.value_or(*end), *end);
  return latest;
}

}  // namespace

std::optional<Instant> Timetable::next_after(Instant after) const {
  if (starts_at && after < *starts_at) after = *starts_at - kInstant;
  std::optional<Instant> due = schedule.next_after(after, *zone, last_end);
  // The limit keeps the search short for a job whose due times are all in windows.
  for (int skipped = 0; due && skipped < kMostSkipped; ++skipped) {
    if (ends_at && *due > *ends_at) return std::nullopt;
    const std::optional<Instant> end = end_of_blackout(*this, *due);
    if (!end) return due;
    due = schedule.next_after(*end - kInstant, *zone, last_end);
  }
  return std::nullopt;
}

Instant Timetable::start_of(std::int64_t job, Instant due) const {
  if (jitter <= Duration::zero()) return due;
  Duration room = jitter;
  // The delay must not reach the next due time, or two runs would be due at once.
  if (const auto next = next_after(due)) room = std::min(room, *next - due);
  if (ends_at) room = std::min(room, *ends_at - due + kInstant);
  if (room <= Duration::zero()) return due;
  // mix() makes the delays of jobs with adjacent numbers, and of successive due times, independent.
  const std::uint64_t chance = mix(mix(static_cast<std::uint64_t>(job)) ^
                                   static_cast<std::uint64_t>(due.time_since_epoch().count()));
  Duration delay{static_cast<Duration::rep>(chance % static_cast<std::uint64_t>(room.count()))};
  // Halving always ends: without a delay, the start is the due time, which is in no window.
  while (delay > Duration::zero() && end_of_blackout(*this, due + delay)) delay /= 2;
  return due + delay;
}

Instant Timetable::started_until(std::int64_t job, Instant due, Instant now) const {
  if (jitter <= Duration::zero()) return now;
  const std::optional<Instant> next = next_after(due);
  if (!next || start_of(job, *next) > now) return due;
  // Only the last due time up to now can have a start after now. It is found by bisection between
  // `low`, after which a due time comes by now, and `high`, after which none does.
  Instant low = std::max(due, now - jitter);
  Instant high = now;
  const auto comes_by_now = [this, now](Instant after) {
    const std::optional<Instant> found = next_after(after);
    return found && *found <= now;
  };
  if (!comes_by_now(low)) return now;
  while (high - low > kInstant) {
    const Instant middle = low + (high - low) / 2;
    if (comes_by_now(middle))
      low = middle;
    else
      high = middle;
  }
  return start_of(job, high) > now ? high - kInstant : now;
}

}  // namespace metrics_refresh::core
