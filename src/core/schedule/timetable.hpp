// The due times of one job: its schedule in its zone, from its start to its end, outside its
// blackout windows.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <vector>

#include "core/schedule/blackout.hpp"
#include "core/schedule/schedule.hpp"

namespace metrics_refresh::core {

struct Timetable {
  Schedule schedule;
  const TimeZone* zone = nullptr;    // REQUIRES: set; outlives this
  std::optional<Instant> starts_at;  // earlier due times do not count
  std::optional<Instant> ends_at;    // later due times do not count
  std::vector<Blackout> blackouts;
  Duration jitter{};                               // 0: none
  std::optional<Instant> last_end = std::nullopt;  // see Schedule::next_after()

  /// Returns the first due time strictly after `after`, or nothing if there is none. The search is
  /// limited: it also returns nothing if a thousand due times in a row are in blackout windows.
  std::optional<Instant> next_after(Instant after) const;

  /// Returns when the run of `due` starts. It is delayed by a part of `jitter` that depends only on
  /// `job` and `due`. The start is before the next due time, not after `ends_at`, and in no
  /// blackout window.
  Instant start_of(std::int64_t job, Instant due) const;

  /// Returns the instant up to which the run of every due time has started by `now`, and after
  /// which none has. Without jitter, it is `now`. REQUIRES: `due` is a due time whose start is not
  /// after `now`.
  Instant started_until(std::int64_t job, Instant due, Instant now) const;
};

}  // namespace metrics_refresh::core
