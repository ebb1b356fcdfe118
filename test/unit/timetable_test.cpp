// Due times between a start and an end, outside of blackouts; and where jitter moves their starts.

#include "core/schedule/timetable.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "unit/due_times.hpp"
#include "unit/system_zone.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Timetable timetable(const std::string& schedule, const std::vector<std::string>& blackouts = {},
                    const TimeZone& zone = utc_zone()) {
  Timetable result{Schedule::parse(schedule), &zone, {}, {}, {}};
  for (const std::string& window : blackouts) result.blackouts.push_back(Blackout::parse(window));
  return result;
}

Times next(const Timetable& timetable, const std::string& after, int count) {
  Times result;
  std::optional<Instant> t = utc(after);
  while (count-- > 0 && t) {
    t = timetable.next_after(*t);
    result.push_back(text_of(t));
  }
  return result;
}

TEST(Timetable, WithoutMoreIsItsSchedule) {
  EXPECT_EQ(next(timetable("*/20 * * * *"), "2024-05-15 10:00", 2),
            (Times{"2024-05-15 10:20", "2024-05-15 10:40"}));
}

TEST(Timetable, StartAndEndBelongToIt) {
  Timetable bounded = timetable("1 hour");
  bounded.starts_at = utc("2024-05-15 10:00");
  bounded.ends_at = utc("2024-05-15 11:00");
  EXPECT_EQ(next(bounded, "2023-01-01 00:00", 5),
            (Times{"2024-05-15 10:00", "2024-05-15 11:00", "never"}));
  bounded.starts_at = utc("2024-05-15 10:00:00.000001");
  bounded.ends_at = utc("2024-05-15 10:59:59.999999");
  EXPECT_EQ(next(bounded, "2023-01-01 00:00", 5), Times{"never"});
  bounded.starts_at = Instant::min();
  bounded.ends_at = Instant::max();
  EXPECT_EQ(next(bounded, "2024-05-15 10:00", 1), Times{"2024-05-15 11:00"});
}

TEST(Timetable, IsNotDueInABlackout) {
  const Timetable working =
      timetable("2 hours", {"08:00-12:00", "11:30-13:00", "sat,sun 00:00-24:00"});
  EXPECT_EQ(next(working, "2024-05-17 05:00", 2), (Times{"2024-05-17 06:00", "2024-05-17 14:00"}));
  EXPECT_EQ(next(working, "2024-05-17 22:00", 1), Times{"2024-05-20 00:00"});
}

TEST(Timetable, NothingComesWhereBlackoutsSwallowEverything) {
  EXPECT_EQ(next(timetable("1 second", {"00:00-24:00"}), "2024-05-17 05:00", 1), Times{"never"});
  EXPECT_EQ(next(timetable("30 2 * * *", {"02:00-03:00"}), "2024-05-17 05:00", 1), Times{"never"});
  EXPECT_EQ(next(timetable("1 second", {"00:00-12:00", "12:00-00:00"}), "2024-05-17 05:00", 1),
            Times{"never"});
}

TEST(Timetable, NoJitterMovesNothing) {
  const Instant due = utc("2024-05-15 10:00");
  EXPECT_EQ(timetable("1 hour").start_of(1, due), due);
  EXPECT_EQ(timetable("1 hour").started_until(1, due, due + hours{5}), due + hours{5});
}

TEST(Timetable, JitterDependsOnJobAndDueTimeAlone) {
  Timetable hourly = timetable("1 hour");
  hourly.jitter = minutes{10};
  std::set<Instant> starts;
  const Instant due = utc("2024-05-15 10:00");
  for (int job = 1; job <= 1000; ++job) {
    const Instant start = hourly.start_of(job, due);
    EXPECT_EQ(start, hourly.start_of(job, due));
    EXPECT_GE(start, due);
    EXPECT_LT(start, due + minutes{10});
    starts.insert(start);
  }
  EXPECT_GT(starts.size(), 990U);
  EXPECT_LT(*starts.begin(), due + minutes{1});
  EXPECT_GT(*starts.rbegin(), due + minutes{9});
  EXPECT_NE(hourly.start_of(1, due) - due, hourly.start_of(1, due + hours{1}) - due - hours{1});
}

TEST(Timetable, JitterKeepsOutOfBlackoutsAndBeforeTheEnd) {
  Timetable hourly = timetable("1 hour", {"10:01-10:59"});
  hourly.jitter = minutes{50};
  hourly.ends_at = utc("2024-05-15 12:03");
  for (int job = 1; job <= 200; ++job) {
    EXPECT_LT(hourly.start_of(job, utc("2024-05-15 10:00")), utc("2024-05-15 10:01"));
    EXPECT_LE(hourly.start_of(job, utc("2024-05-15 12:00")), utc("2024-05-15 12:03"));
  }
}

struct Case {
  const char* schedule;
  std::vector<std::string> blackouts;
};

const std::vector<Case> kCases = {{"7 minutes", {"08:00-08:30", "22:00-06:00"}},
                                  {"*/5 * * * *", {"02:00-03:00"}},
                                  {"13 * * * *", {"sat,sun 00:00-24:00", "mon 00:00-07:00"}},
                                  {"30 2 * * *", {"01:00-02:30", "thu 02:00-02:31"}},
                                  {"0 0,6,12,18 * * 1-5", {"12:00-12:00"}},
                                  {"1 hour", {"00:00-12:00", "12:00-23:30"}},
                                  {"1 minute", {"*/2 10:10-10:10", "09:00-17:00", "16:59-23:00"}}};

// Against the plain schedule, due time by due time.
TEST(TimetableProperty, NextIsTheFirstDueTimeOutsideOfBlackouts) {
  std::mt19937 random(3);
  const FakeZone berlin = system_zone("Europe/Berlin"), new_york = system_zone("America/New_York");
  for (const Case& example : kCases) {
    for (const FakeZone* zone : {&berlin, &new_york}) {
      Timetable tested = timetable(example.schedule, example.blackouts, *zone);
      for (int i = 0; i < 40; ++i) {
        const Instant begin = utc("2024-01-01 00:00") + seconds{random() % (366 * 86400)};
        tested.starts_at = begin + seconds{random() % 86400};
        tested.ends_at = *tested.starts_at + seconds{random() % (20 * 86400)};
        std::vector<Instant> expected;
        for (auto due = tested.schedule.next_after(begin, *zone); due && *due <= *tested.ends_at;
             due = tested.schedule.next_after(*due, *zone)) {
          const bool blacked_out =
              std::any_of(tested.blackouts.begin(), tested.blackouts.end(),
                          [&](const Blackout& window) { return window.end_of(*due, *zone); });
          if (*due >= *tested.starts_at && !blacked_out) expected.push_back(*due);
        }
        std::vector<Instant> found;
        for (auto due = tested.next_after(begin); due; due = tested.next_after(*due))
          found.push_back(*due);
        ASSERT_EQ(found.size(), expected.size()) << example.schedule << " from " << text_of(begin);
        ASSERT_TRUE(found == expected) << example.schedule << " from " << text_of(begin);
      }
    }
  }
}

// Starts keep the order of their due times, and started_until() divides them.
TEST(TimetableProperty, StartsAreInOrderAndDividedByNow) {
  std::mt19937 random(5);
  for (const Case& example : kCases) {
    Timetable tested = timetable(example.schedule, example.blackouts);
    for (int i = 0; i < 60; ++i) {
      tested.jitter = seconds{random() % (i % 2 == 0 ? 600 : 86400)};
      const auto job = static_cast<std::int64_t>(random() % 100);
      std::vector<std::pair<Instant, Instant>> slots;  // due and start
      auto due = tested.next_after(utc("2024-05-15 00:00") + seconds{random() % 86400});
      for (int count = 0; count < 40 && due; ++count, due = tested.next_after(*due)) {
        const Instant start = tested.start_of(job, *due);
        ASSERT_GE(start, *due);
        ASSERT_LE(start, *due + tested.jitter);
        ASSERT_TRUE(slots.empty() || *due > slots.back().second);
        slots.emplace_back(*due, start);
      }
      if (slots.size() < 2) continue;
      const Instant now =
          slots.front().second +
          Duration{static_cast<Duration::rep>(random()) * 1000 %
                   (slots.back().first - slots.front().second + Duration{1}).count()};
      const Instant until = tested.started_until(job, slots.front().first, now);
      ASSERT_LE(until, now);
      for (const auto& [each, start] : slots)
        ASSERT_EQ(each <= until, start <= now) << example.schedule << " at " << text_of(now);
    }
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
