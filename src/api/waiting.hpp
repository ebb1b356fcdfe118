// Parts of the functions that wait for an end.
#pragma once

#include <optional>

#include "api/arguments.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::api {

/// Interval at which a wait with a snapshot checks whether its run or job waits for that snapshot.
inline constexpr std::int64_t kLookMilliseconds = 500;
/// Longest sleep without a wake-up. A broadcast normally ends it.
inline constexpr std::int64_t kLongestSleep = 3'600'000;

/// The time when the interval in argument `n` will have passed; nothing if it is NULL.
std::optional<core::Instant> give_up_time(const Arguments& arguments, int n);
/// Milliseconds until that time, at most `most`; nothing if it has come.
std::optional<long> sleep_length(const std::optional<core::Instant>& give_up_at, std::int64_t most);

/// True if a procedure cannot commit here. The same test as in the server's procedural languages:
/// an atomic context does not allow COMMIT.
bool is_in_transaction(FunctionCallInfo call) noexcept;
/// Commits, which releases all snapshots and locks, and begins a new transaction. REQUIRES: a
/// connection of SPI that is not atomic.
void commit_procedure();

}  // namespace metrics_refresh::api
