// What a schedule must know of a time zone, and no more: which UTC offset is in force, from when
// until when. The server's own zone files answer in production (pg/time_zone.hpp), a table in
// tests.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include "core/instant.hpp"

namespace metrics_refresh::core {

class TimeZone {
 public:
  /// A stretch of real time [begin, end) with one UTC offset. Local wall-clock time is UTC plus
  /// `offset`. The first period begins at Instant::min(), the last ends at Instant::max().
  struct Period {
    Instant begin;
    Instant end;
    std::chrono::seconds offset;
  };

  virtual ~TimeZone() = default;

  /// The period that holds `t`. Two neighbouring periods may have the same offset.
  virtual Period period_at(Instant t) const = 0;
};

}  // namespace metrics_refresh::core
