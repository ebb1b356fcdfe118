#include "core/scheduler/retry_policy.hpp"

#include <algorithm>

namespace metrics_refresh::core {

bool is_transient(std::string_view sqlstate) {
  // Whole classes are preferred to single codes, because new releases add codes to them.
  const std::string_view error_class = sqlstate.substr(0, 2);
  return error_class == "08" || error_class == "40" || error_class == "53" || error_class == "57" ||
         error_class == "58" || sqlstate == "25P03" || sqlstate == "25P04" || sqlstate == "55P03";
}

Duration backoff(const RetryPolicy& policy, int attempt, std::uint64_t random) noexcept {
  const Duration most = std::max(policy.max_delay, Duration::zero());
  Duration delay = std::clamp(policy.delay, Duration::zero(), most);
  // Doubling is done by addition with a limit, so it cannot overflow.
  for (int doubled = 1; doubled < attempt && delay < most; ++doubled)
    delay += std::min(delay, most - delay);
  const Duration half = delay / 2;
  const auto choices = static_cast<std::uint64_t>(half.count()) + 1;
  return delay - Duration{static_cast<Duration::rep>(random % choices)};
}

std::optional<Retry> plan_retry(const RetryPolicy& policy, int attempt, Instant due, Instant now,
                                std::optional<Instant> next_due, std::uint64_t random) noexcept {
  if (attempt > policy.max_retries) return std::nullopt;
  const Instant at = now + backoff(policy, attempt, random);
  // The run at the next due time replaces the retry.
  if (next_due && at >= *next_due) return std::nullopt;
  return Retry{at, due, attempt + 1};
}

}  // namespace metrics_refresh::core
