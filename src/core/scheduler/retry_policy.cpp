#include "core/scheduler/retry_policy.hpp"

#include <algorithm>
#include <iterator>

namespace metrics_refresh::core {
namespace {

// Whole classes are preferred to single codes, because new releases add codes to them.
constexpr std::string_view kConnectionException = "08";
constexpr std::string_view kTransactionRollback = "40";
constexpr std::string_view kInsufficientResources = "53";
constexpr std::string_view kOperatorIntervention = "57";
constexpr std::string_view kSystemError = "58";
constexpr std::string_view kTransientClasses[] = {kConnectionException, kTransactionRollback,
                                                  kInsufficientResources, kOperatorIntervention,
                                                  kSystemError};

constexpr std::string_view kIdleInTransactionSessionTimeout = "25P03";
constexpr std::string_view kTransactionTimeout = "25P04";
constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kTransientCodes[] = {kIdleInTransactionSessionTimeout,
                                                kTransactionTimeout, kLockNotAvailable};

template <std::size_t size>
bool has(const std::string_view (&list)[size], std::string_view one) {
  return std::find(std::begin(list), std::end(list), one) != std::end(list);
}

}  // namespace

bool is_transient(std::string_view sqlstate) {
  return has(kTransientClasses, sqlstate.substr(0, 2)) || has(kTransientCodes, sqlstate);
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
