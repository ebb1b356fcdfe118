// Conversion between the server's timestamps and core::Instant.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// Microseconds from 1970-01-01 to 2000-01-01, the epoch of the server.
inline constexpr int64 kEpochShift =
    (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<int64>(USECS_PER_DAY);

/// Times in the last 30 of the server's 294,000 years become the instant before them. That is later
/// than all times in use, and no sum overflows. REQUIRES: `t` is finite.
inline core::Instant to_instant(TimestampTz t) noexcept {
  return core::Instant(core::Duration(
      (t < PG_INT64_MAX - kEpochShift ? t : PG_INT64_MAX - kEpochShift) + kEpochShift));
}

inline TimestampTz to_timestamptz(core::Instant t) noexcept {
  return t.time_since_epoch().count() - kEpochShift;
}

inline std::optional<TimestampTz> to_timestamptz(std::optional<core::Instant> t) noexcept {
  return t ? std::optional(to_timestamptz(*t)) : std::nullopt;
}

/// The present wall-clock time, not the start of the transaction.
inline core::Instant now() noexcept { return to_instant(GetCurrentTimestamp()); }

/// Microseconds on a clock that all processes share and that cannot be set. For intervals that must
/// not depend on steps of the wall clock.
inline std::int64_t steady_now() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

/// The start of the postmaster. A crash of one of its children does not change it.
inline core::Instant server_start() noexcept { return to_instant(PgStartTime); }

}  // namespace metrics_refresh::pg
