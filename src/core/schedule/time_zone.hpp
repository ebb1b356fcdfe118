// The information about a time zone that a schedule needs: the UTC offset for an instant, and the
// period in which it applies. In production it comes from the server's zone files
// (pg/time_zone.hpp), and in tests from a table.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include "core/instant.hpp"

namespace metrics_refresh::core {

class TimeZone {
 public:
  /// A period of real time [begin, end) with one UTC offset. Wall-clock time is UTC plus `offset`.
  /// The first period begins at Instant::min(), the last one ends at Instant::max().
  struct Period {
    Instant begin;
    Instant end;
    std::chrono::seconds offset;
  };

  virtual ~TimeZone() = default;

  /// Returns the period that contains `t`. Adjacent periods may have the same offset.
  virtual Period period_at(Instant t) const = 0;
};

}  // namespace metrics_refresh::core
