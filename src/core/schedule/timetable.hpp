// When one job is due: its schedule, in its zone, between its start and its end, outside its
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
  std::optional<Instant> starts_at;  // due times before this do not count
  std::optional<Instant> ends_at;    // nor those after this
  std::vector<Blackout> blackouts;
  Duration jitter{};                               // 0: none
  std::optional<Instant> last_end = std::nullopt;  // see Schedule::next_after()

  /// The first due time strictly after `after`, or nothing where none comes. Bounded: where
  /// blackouts swallow a thousand candidates in a row, nothing comes.
  std::optional<Instant> next_after(Instant after) const;

  /// When the run of `due` shall start: delayed by a part of `jitter` that depends on `job` and
  /// `due` alone; always before the next due time, not after `ends_at`, and in no blackout.
  Instant start_of(std::int64_t job, Instant due) const;

  /// The instant up to which every due time has had its start by `now`, and after which none has:
  /// `now` itself where there is no jitter. REQUIRES: `due` is a due time with its start by `now`.
  Instant started_until(std::int64_t job, Instant due, Instant now) const;
};

}  // namespace metrics_refresh::core
