#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <random>
#include <string>

#include "core/queue/rate_window.hpp"

namespace metrics_refresh::core::queue::test {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kBegin{hours{24 * 365 * 50}};

TEST(QueueRateWindow, CountsTheStartsOfTheLastPeriod) {
  RateWindow rate;
  rate.set_period(seconds{1}, kBegin);
  EXPECT_EQ(rate.used(kBegin), 0U);
  rate.book(kBegin, 3);
  EXPECT_EQ(rate.used(kBegin), 3U);
  EXPECT_EQ(rate.used(kBegin + seconds{1}), 3U);
  EXPECT_EQ(rate.used(kBegin + milliseconds{1016}), 0U);
  rate.book(kBegin + hours{1}, 2);
  EXPECT_EQ(rate.used(kBegin + hours{1}), 2U);
}

TEST(QueueRateWindow, OpensAtTheFirstMomentThatPermitsAStart) {
  RateWindow rate;
  rate.set_period(seconds{64}, kBegin);
  EXPECT_EQ(rate.opens_at(kBegin, 1), kBegin);
  rate.book(kBegin, 1);
  rate.book(kBegin + seconds{10}, 2);
  const Instant now = kBegin + seconds{10};
  EXPECT_EQ(rate.opens_at(now, 4), now);
  for (const std::uint32_t limit : {1U, 2U, 3U}) {
    const Instant opens = rate.opens_at(now, limit);
    RateWindow copy = rate;
    EXPECT_GE(copy.used(opens - microseconds{1}), limit);
    EXPECT_LT(copy.used(opens), limit);
  }
}

TEST(QueueRateWindow, TakesBackABookedStart) {
  RateWindow rate;
  rate.set_period(seconds{1}, kBegin);
  const auto window = rate.book(kBegin, 2);
  rate.unbook(window);
  EXPECT_EQ(rate.used(kBegin), 1U);
  // A window that no longer counts has nothing to take back.
  rate.book(kBegin + seconds{5}, 1);
  rate.unbook(window);
  EXPECT_EQ(rate.used(kBegin + seconds{5}), 1U);
}

TEST(QueueRateWindow, MovesABookedStartOnlyIfTheLimitPermits) {
  RateWindow rate;
  rate.set_period(seconds{1}, kBegin);
  std::int64_t window = rate.book(kBegin, 2);
  // It still counts in its period: moving it does not change the sum.
  EXPECT_TRUE(rate.move(window, kBegin + milliseconds{500}, 2));
  EXPECT_EQ(rate.used(kBegin + milliseconds{500}), 2U);
  // The other one has expired, and two new starts use the limit.
  const Instant later = kBegin + milliseconds{1600};
  std::int64_t expired = window - 32;
  rate.book(later, 2);
  EXPECT_FALSE(rate.move(expired, later, 2));
  EXPECT_EQ(rate.used(later), 2U);
  EXPECT_TRUE(rate.move(expired, later, 3));
}

TEST(QueueRateWindow, ForgetsNoStartWhenTheClockGoesBack) {
  RateWindow rate;
  rate.set_period(seconds{1}, kBegin);
  rate.book(kBegin, 5);
  EXPECT_EQ(rate.used(kBegin - milliseconds{100}), 5U);
  const Instant back = kBegin - hours{5};
  EXPECT_EQ(rate.used(back), 5U);
  EXPECT_EQ(rate.used(back + milliseconds{900}), 5U);
  EXPECT_EQ(rate.used(back + milliseconds{1100}), 0U);
}

TEST(QueueRateWindow, KeepsItsStartsWithAnotherPeriod) {
  RateWindow rate;
  rate.set_period(seconds{1}, kBegin);
  rate.book(kBegin, 4);
  rate.set_period(hours{1}, kBegin + milliseconds{10});
  EXPECT_EQ(rate.used(kBegin + seconds{59}), 4U);
}

// Random moments, limits and periods, down to a period of a few microseconds. The starts are made
// as soon as they are allowed, so each one is at the edge of the rule.
TEST(QueueRateWindow, NeverExceedsTheLimitInAnyPeriod) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](std::int64_t from, std::int64_t to) {
      return std::uniform_int_distribution<std::int64_t>(from, to)(random);
    };
    const microseconds period{pick(1, seed % 2 == 0 ? 300 : 3'000'000)};
    const auto limit = static_cast<std::uint32_t>(pick(1, 40));
    RateWindow rate;
    Instant now = kBegin + microseconds{pick(0, 1'000'000)};
    rate.set_period(period, now);
    std::deque<Instant> starts;  // of the last period
    std::size_t made = 0;
    const Instant begin = now;
    while (made < 2000) {
      if (rate.used(now) < limit) {
        rate.book(now, 1);
        ++made;
        starts.push_back(now);
        while (starts.front() <= now - period) starts.pop_front();
        ASSERT_LE(starts.size(), limit);
      } else if (pick(0, 1) == 0) {
        const Instant opens = rate.opens_at(now, limit);
        ASSERT_GT(opens, now);
        now = opens;
      }
      if (pick(0, 9) == 0) now += microseconds{pick(0, period.count() / 3)};
    }
    // No more than a window is lost with each period. (Some time passes with free starts, too.)
    if (period > milliseconds{100} && limit > 5) {
      const auto periods = (now - begin) / period;
      EXPECT_GT(made, static_cast<std::size_t>(periods) * limit / 3);
    }
  }
}

}  // namespace
}  // namespace metrics_refresh::core::queue::test
