// H: numbers of a job's own. What they are is a promise: these tests must never need another
// answer.

#include "core/schedule/spread.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "unit/due_times.hpp"

namespace metrics_refresh::core::test {
namespace {

Times due(const std::string& text, const std::string& name, int count) {
  const Schedule schedule = Schedule::parse(text, {name});
  Times result;
  std::optional<Instant> t = utc("2023-12-31 23:59:59");
  for (int i = 0; i < count && t; ++i) {
    t = schedule.next_after(*t, utc_zone());
    result.push_back(text_of(t));
  }
  return result;
}

TEST(Spread, NeverChanges) {
  EXPECT_EQ(spread("", 0, 60), 28U);
  EXPECT_EQ(spread("refresh-platform-metrics", 0, 60), 43U);
  EXPECT_EQ(spread("refresh-platform-metrics", 1, 24), 11U);
  EXPECT_EQ(spread("refresh-platform-metrics", 5, 60), 1U);
}

TEST(Spread, FillsTheRangeEvenly) {
  std::array<int, 60> minutes{};
  for (int job = 0; job < 6000; ++job) ++minutes[spread("job " + std::to_string(job), 0, 60)];
  for (const int jobs : minutes) {
    EXPECT_GT(jobs, 60);
    EXPECT_LT(jobs, 150);
  }
}

TEST(Spread, DiffersFromFieldToField) {
  std::set<unsigned> numbers;
  for (unsigned field = 0; field < 6; ++field) numbers.insert(spread("job", field, 1'000'000));
  EXPECT_EQ(numbers.size(), 6U);
}

TEST(SpreadSchedule, StaysWithinItsRange) {
  for (int i = 0; i < 500; ++i) {
    const std::string name = "job " + std::to_string(i);
    const auto minute = [&](const char* text) {
      return std::stoi(due(text, name, 1).front().substr(14, 2));
    };
    EXPECT_EQ(minute("H * * * *"), static_cast<int>(spread(name, 0, 60)));
    EXPECT_LT(minute("H(0-29) * * * *"), 30);
    EXPECT_GE(minute("H(20-29) * * * *"), 20);
    EXPECT_EQ(minute("H(17-17) * * * *"), 17);
    EXPECT_LT(minute("H/15 * * * *"), 15);
    EXPECT_GE(minute("H(30-50)/10 * * * *"), 30);
    EXPECT_LT(minute("H(30-50)/10 * * * *"), 40);
    EXPECT_LE(std::stoi(due("0 0 H * *", name, 1).front().substr(8, 2)), 28);
    (void)due("@seconds H H H H H ?", name, 1);
    (void)due("H H ? * H", name, 1);
    (void)due("H H H(1-7) H(jan-jun) H(mon-fri)", name, 1);
  }
}

TEST(SpreadSchedule, StepsFromANumberOfTheJobsOwn) {
  const unsigned first = spread("job", 0, 20);
  const Times times = due("H/20 0 * * *", "job", 3);
  for (unsigned i = 0; i < 3; ++i)
    EXPECT_EQ(std::stoi(times[i].substr(14, 2)), static_cast<int>(first + 20 * i));
}

TEST(SpreadSchedule, DependsOnTheName) {
  std::set<std::string> first;
  for (int i = 0; i < 100; ++i) first.insert(due("H * * * *", "job " + std::to_string(i), 1)[0]);
  EXPECT_GT(first.size(), 40U);
  EXPECT_EQ(due("H H * * *", "a", 3), due("h h * * *", "a", 3));
}

}  // namespace
}  // namespace metrics_refresh::core::test
