// Decides when a failed run is tried again: exponential backoff with jitter, and never after the
// next due time. Only transient errors are retried.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/instant.hpp"

namespace metrics_refresh::core {

struct RetryPolicy {
  int max_retries = 3;  // 0: none
  Duration delay = std::chrono::seconds(10);
  Duration max_delay = std::chrono::minutes(5);
};

/// The next attempt of a failed run.
struct Retry {
  Instant at;       // when it starts
  Instant due;      // the due time that it belongs to
  int attempt = 2;  // its number; the first run was 1
};

/// Returns whether an error is transient. A transient error says nothing about the job and may not
/// occur again. A permanent error occurs again until its cause is fixed. True for the
/// five-character SQLSTATEs of conflicts, lock and time limits, missing resources, lost
/// connections, operator intervention and I/O. These are the classes 08, 40, 53, 57 and 58 and the
/// codes 25P03, 25P04 and 55P03 of PostgreSQL's appendix A.
bool is_transient(std::string_view sqlstate);

/// Returns the delay after the failed `attempt` (counted from 1). `delay` is doubled for each
/// attempt, up to `max_delay`. The upper half is random (`random` is any number), so that jobs that
/// failed together are not retried together.
Duration backoff(const RetryPolicy& policy, int attempt, std::uint64_t random) noexcept;

/// Returns the retry of the run that failed at `now` as number `attempt`. Returns nothing if the
/// policy permits no further attempt, or if the next due time comes first.
std::optional<Retry> plan_retry(const RetryPolicy& policy, int attempt, Instant due, Instant now,
                                std::optional<Instant> next_due, std::uint64_t random) noexcept;

}  // namespace metrics_refresh::core
