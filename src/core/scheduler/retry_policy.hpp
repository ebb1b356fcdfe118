// When a failed run is tried again: exponential backoff with jitter, never past the next due time.
// Which errors are worth it is core/error_class.hpp's business.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <optional>

#include "core/instant.hpp"

namespace metrics_refresh::core {

struct RetryPolicy {
  int max_retries = 3;  // 0: none
  Duration delay = std::chrono::seconds(10);
  Duration max_delay = std::chrono::minutes(5);
};

/// A run that failed and will be tried again.
struct Retry {
  Instant at;       // when
  Instant due;      // the due time that it still serves
  int attempt = 2;  // which one it will be; the first run was 1
};

/// How long to wait after the failed `attempt` (from 1): `delay` doubled with each attempt, at most
/// `max_delay`, of which the upper half is left to chance (`random`, any number), so that jobs that
/// failed together do not come back together.
Duration backoff(const RetryPolicy& policy, int attempt, std::uint64_t random) noexcept;

/// The retry of the run that failed at `now` as `attempt`, or nothing where the policy allows no
/// more or the next due time comes first.
std::optional<Retry> plan_retry(const RetryPolicy& policy, int attempt, Instant due, Instant now,
                                std::optional<Instant> next_due, std::uint64_t random) noexcept;

}  // namespace metrics_refresh::core
