#include "core/scheduler/retry_policy.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>

#include "unit/utc.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

TEST(Backoff, DoublesUpToTheLongest) {
  const RetryPolicy policy{10, seconds{10}, minutes{5}};
  const seconds expected[] = {seconds{10},  seconds{20}, seconds{40}, seconds{80},
                              seconds{160}, minutes{5},  minutes{5}};
  for (int attempt = 1; attempt <= 7; ++attempt)
    EXPECT_EQ(backoff(policy, attempt, 0), expected[attempt - 1]) << attempt;
  EXPECT_EQ(backoff(policy, std::numeric_limits<int>::max(), 0), minutes{5});
}

TEST(Backoff, LeavesTheUpperHalfToChance) {
  const RetryPolicy policy{10, seconds{10}, minutes{5}};
  Duration least = hours{1}, most{0};
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const Duration wait = backoff(policy, 2, random());
    EXPECT_GE(wait, seconds{10});
    EXPECT_LE(wait, seconds{20});
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_LT(least, seconds{11});
  EXPECT_GT(most, seconds{19});
}

TEST(Backoff, StandsAtTheEdges) {
  EXPECT_EQ(backoff({3, minutes{10}, minutes{5}}, 1, 0), minutes{5});
  EXPECT_GT(backoff({3, milliseconds{1}, milliseconds{1}}, 1, kMost), Duration{0});
  EXPECT_EQ(backoff({3, Duration{0}, Duration{0}}, 3, kMost), Duration{0});
  EXPECT_EQ(backoff({3, Duration{1}, hours{24 * 24}}, 100, 0), hours{24 * 24});
  EXPECT_EQ(backoff({3, Duration{-2}, minutes{5}}, 1, kMost),
            Duration{0});  // never meant, never fatal
}

TEST(PlanRetry, IsTheNextAttemptAfterTheBackoff) {
  const Instant due = utc("2024-05-15 10:05"), now = utc("2024-05-15 10:05:07");
  const auto retry = plan_retry({3, seconds{10}, minutes{5}}, 2, due, now, std::nullopt, 0);
  ASSERT_TRUE(retry);
  EXPECT_EQ(text_of(retry->at), "2024-05-15 10:05:27");
  EXPECT_EQ(retry->due, due);
  EXPECT_EQ(retry->attempt, 3);
}

TEST(PlanRetry, EndsWithThePolicy) {
  const Instant now = utc("2024-05-15 10:05");
  EXPECT_TRUE(plan_retry({3, seconds{10}, minutes{5}}, 3, now, now, std::nullopt, 0));
  EXPECT_FALSE(plan_retry({3, seconds{10}, minutes{5}}, 4, now, now, std::nullopt, 0));
  EXPECT_FALSE(plan_retry({0, seconds{10}, minutes{5}}, 1, now, now, std::nullopt, 0));
}

TEST(PlanRetry, IsBeforeTheNextDueTimeOrNotAtAll) {
  const Instant now = utc("2024-05-15 10:05");
  const RetryPolicy policy{3, seconds{10}, minutes{5}};
  EXPECT_FALSE(plan_retry(policy, 1, now, now, now + seconds{10}, 0));
  EXPECT_TRUE(plan_retry(policy, 1, now, now, now + seconds{10} + Duration{1}, 0));
}

}  // namespace
}  // namespace metrics_refresh::core::test
