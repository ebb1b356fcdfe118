// The server's clock and timestamps as core::Instant and back.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// Microseconds from 1970-01-01 to 2000-01-01, the server's own epoch.
inline constexpr int64 kEpochShift =
    (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<int64>(USECS_PER_DAY);

/// The last 30 of the server's 294,000 years become the instant before them: later than all that
/// can be computed with, and no sum overflows.
/// REQUIRES: `t` is finite.
inline core::Instant to_instant(TimestampTz t) noexcept {
  return core::Instant(core::Duration(
      (t < PG_INT64_MAX - kEpochShift ? t : PG_INT64_MAX - kEpochShift) + kEpochShift));
}

inline TimestampTz to_timestamptz(core::Instant t) noexcept {
  return t.time_since_epoch().count() - kEpochShift;
}

/// The wall clock, now: not the start of the transaction.
inline core::Instant now() noexcept { return to_instant(GetCurrentTimestamp()); }

/// Microseconds on a clock that all processes share and nobody sets: for what must not end early or
/// late because the wall clock was stepped.
inline std::int64_t steady_now() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

/// When the postmaster started, which a crash of one of its children does not change.
inline core::Instant server_start() noexcept { return to_instant(PgStartTime); }

}  // namespace metrics_refresh::pg
