// When a failed run is tried again: exponential backoff with jitter, never past the next due time.
// Only errors that go away by themselves are worth it.
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

/// A run that failed and will be tried again.
struct Retry {
  Instant at;       // when
  Instant due;      // the due time that it still serves
  int attempt = 2;  // which one it will be; the first run was 1
};

/// Whether an error goes away by itself: such a one says nothing about the job, while a permanent
/// one will come again until somebody mends its cause. True for the SQLSTATEs (five characters) of
/// conflicts, lock and time limits, lacking resources, lost connections, operator intervention and
/// I/O: classes 08, 40, 53, 57, 58 and the codes 25P03, 25P04 and 55P03 of PostgreSQL's appendix A.
/// False for everything else.
bool is_transient(std::string_view sqlstate);

/// How long to wait after the failed `attempt` (from 1): `delay` doubled with each attempt, at most
/// `max_delay`, of which the upper half is left to chance (`random`, any number), so that jobs that
/// failed together do not come back together.
Duration backoff(const RetryPolicy& policy, int attempt, std::uint64_t random) noexcept;

/// The retry of the run that failed at `now` as `attempt`, or nothing where the policy allows no
/// more or the next due time comes first.
std::optional<Retry> plan_retry(const RetryPolicy& policy, int attempt, Instant due, Instant now,
                                std::optional<Instant> next_due, std::uint64_t random) noexcept;

}  // namespace metrics_refresh::core
