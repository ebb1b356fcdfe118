// Randomised: next_after() against the minute-by-minute oracle, over real and invented zones.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/schedule/schedule.hpp"
#include "unit/naive_cron_source.hpp"
#include "unit/system_zone.hpp"

namespace metrics_refresh::core::test {
namespace {

struct Window {
  std::string zone;
  int first_year;
  int years;
};

std::ostream& operator<<(std::ostream& out, const Window& window) {
  return out << window.zone << " from " << window.first_year;
}

// Checks next_after() before, at, between and after all due times within the days [first, last).
void expect_same(const NaiveCron& naive, const FakeZone& zone, std::int64_t first,
                 std::int64_t last, std::mt19937& random) {
  constexpr std::int64_t kMargin = 3;  // days: covers every offset and gap
  const Schedule cron = Schedule::parse(naive.text());
  const Instant begin{std::chrono::hours{first * 24}};
  const Instant end{std::chrono::hours{last * 24}};
  std::vector<TimeZone::Period> periods;
  for (const auto& period : zone.periods()) {
    if (period.begin < end + std::chrono::hours{24 * kMargin} &&
        period.end > begin - std::chrono::hours{24 * kMargin}) {
      periods.push_back(period);
    }
  }
  const auto due = naive.due_times(first - kMargin, last + kMargin, periods);

  const auto expect_next = [&](Instant after) {
    const auto expected = std::upper_bound(due.begin(), due.end(), after);
    const auto actual = cron.next_after(after, zone);
    if (expected == due.end() || *expected >= end) {
      ASSERT_TRUE(!actual || *actual >= end) << naive.text() << " after " << text_of(after);
    } else {
      ASSERT_TRUE(actual == *expected) << naive.text() << " after " << text_of(after) << ": "
                                       << text_of(actual) << ", not " << text_of(*expected);
      ASSERT_GT(*actual, after);
    }
  };

  for (const Instant t : due) {
    if (t <= begin || t >= end) continue;
    ASSERT_EQ(cron.next_after(t - Duration{1}, zone), t) << naive.text() << " at " << text_of(t);
    expect_next(t);
  }
  std::uniform_int_distribution<std::int64_t> moment(begin.time_since_epoch().count(),
                                                     end.time_since_epoch().count() - 1);
  std::uniform_int_distribution<std::int64_t> nearby(-7'200'000'000, 7'200'000'000);
  for (int i = 0; i < 100; ++i) expect_next(Instant{Duration{moment(random)}});
  for (const auto& period : periods) {
    if (period.begin <= begin || period.begin >= end) continue;
    expect_next(period.begin);
    expect_next(period.begin - Duration{1});
    for (int i = 0; i < 20; ++i) {
      const Instant after = period.begin + Duration{nearby(random)};
      if (after >= begin) expect_next(after);
    }
  }
}

class NextAfterProperty : public testing::TestWithParam<Window> {};

TEST_P(NextAfterProperty, AgreesWithTheOracle) {
  const Window& window = GetParam();
  const FakeZone zone = system_zone(window.zone);
  NaiveCronSource source(20240229);
  std::mt19937 random(7);
  for (int i = 0; i < 40 && !HasFatalFailure(); ++i) {
    expect_same(source.next(), zone, day_number({window.first_year, 1, 1}),
                day_number({window.first_year + window.years, 1, 1}), random);
  }
}

TEST_P(NextAfterProperty, IsMonotone) {
  const Window& window = GetParam();
  const FakeZone zone = system_zone(window.zone);
  NaiveCronSource source(1582);
  std::mt19937 random(1752);
  const Instant begin{std::chrono::hours{24 * day_number({window.first_year, 1, 1})}};
  std::uniform_int_distribution<std::int64_t> step(1, 30'000'000'000);
  for (int i = 0; i < 100; ++i) {
    const NaiveCron naive = source.next();
    const Schedule cron = Schedule::parse(naive.text());
    Instant last_due = Instant::min();
    for (Instant after = begin; after < begin + std::chrono::hours{24 * 366};
         after += Duration{step(random)}) {
      const auto due = cron.next_after(after, zone);
      ASSERT_TRUE(due) << naive.text();
      ASSERT_GT(*due, after) << naive.text();
      ASSERT_GE(*due, last_due) << naive.text() << " after " << text_of(after);
      if (after < last_due) {
        ASSERT_EQ(*due, last_due) << naive.text();
      }
      last_due = *due;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Zones, NextAfterProperty,
    testing::Values(Window{"UTC", 2019, 4}, Window{"Europe/Berlin", 2019, 4},
                    Window{"Europe/Berlin", 1892, 3}, Window{"Europe/Berlin", 1945, 3},
                    Window{"Europe/Dublin", 2019, 2}, Window{"America/New_York", 2021, 4},
                    Window{"America/New_York", 1882, 3}, Window{"Australia/Lord_Howe", 2019, 4},
                    Window{"Pacific/Apia", 2010, 4}, Window{"America/Havana", 2019, 4},
                    Window{"Asia/Beirut", 2020, 4}, Window{"Asia/Kolkata", 2019, 2},
                    Window{"Asia/Kolkata", 1904, 3}, Window{"Asia/Manila", 1844, 2},
                    Window{"Africa/Casablanca", 2020, 3}, Window{"Africa/Monrovia", 1971, 2}));

// Zones that no government has thought of yet: shifts of up to a day, to the second, at any moment.
TEST(NextAfterInventedZones, AgreesWithTheOracle) {
  std::mt19937 random(42);
  NaiveCronSource source(4242);
  std::uniform_int_distribution<int> gap_days(3, 60);
  std::uniform_int_distribution<int> second_of_day(0, 86399);
  std::uniform_int_distribution<int> offset(-12 * 3600, 12 * 3600);
  const std::int64_t first = day_number({1968, 6, 1});
  for (int i = 0; i < 300 && !testing::Test::HasFatalFailure(); ++i) {
    std::vector<FakeZone::Transition> transitions;
    for (std::int64_t day = first; day < first + 500; day += gap_days(random)) {
      const int unit = i % 3 == 0 ? 1 : 1800;
      transitions.push_back({Instant{std::chrono::hours{24 * day} +
                                     std::chrono::seconds{second_of_day(random) / unit * unit}},
                             std::chrono::seconds{offset(random) / unit * unit}});
    }
    const FakeZone zone(std::chrono::seconds{offset(random)}, transitions);
    expect_same(source.next(), zone, first, first + 500, random);
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
