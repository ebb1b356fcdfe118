// Schedules as a whole: nicknames, intervals, and the ends of time.

#include "core/schedule.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "unit/due_times.hpp"
#include "unit/fake_zone.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;

void expect_refusal(const std::string& text, const std::string& message, std::size_t position,
                    const std::string& hint) {
  try {
    Schedule::parse(text);
    ADD_FAILURE() << "accepted " << text;
  } catch (const ScheduleError& error) {
    EXPECT_EQ(error.what(), message) << text;
    EXPECT_EQ(error.position(), position) << text;
    EXPECT_NE(error.hint().find(hint), std::string::npos) << text << ": " << error.hint();
  }
}

TEST(Nickname, StandsForFiveFields) {
  const std::string after = "2024-05-15 10:30";
  EXPECT_EQ(due_times("@hourly", after, 2), (Times{"2024-05-15 11:00", "2024-05-15 12:00"}));
  EXPECT_EQ(due_times("@daily", after, 2), (Times{"2024-05-16 00:00", "2024-05-17 00:00"}));
  EXPECT_EQ(due_times("@midnight", after, 1), (Times{"2024-05-16 00:00"}));
  EXPECT_EQ(due_times("@weekly", after, 2), (Times{"2024-05-19 00:00", "2024-05-26 00:00"}));
  EXPECT_EQ(due_times("@monthly", after, 2), (Times{"2024-06-01 00:00", "2024-07-01 00:00"}));
  EXPECT_EQ(due_times("@yearly", after, 2), (Times{"2025-01-01 00:00", "2026-01-01 00:00"}));
  EXPECT_EQ(due_times(" @Annually ", after, 1), (Times{"2025-01-01 00:00"}));
}

TEST(Nickname, RefusesOthers) {
  expect_refusal(" @reboot", "unknown nickname \"@reboot\"", 2,
                 "@hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually.");
  expect_refusal("@", "unknown nickname \"@\"", 1, "@hourly");
  expect_refusal("@daily 5", "unexpected \"5\" after the nickname", 8, "Write five fields");
}

TEST(Interval, IsAlignedToTheEpoch) {
  EXPECT_EQ(due_times("30 seconds", "2024-05-15 10:30:01", 2),
            (Times{"2024-05-15 10:30:30", "2024-05-15 10:31"}));
  EXPECT_EQ(due_times("1 minute", "2024-05-15 10:30", 1), (Times{"2024-05-15 10:31"}));
  EXPECT_EQ(due_times("\t6  HOURS ", "2024-05-15 10:30", 2),
            (Times{"2024-05-15 12:00", "2024-05-15 18:00"}));
  EXPECT_EQ(due_times("7 seconds", "1970-01-01 00:00", 1), (Times{"1970-01-01 00:00:07"}));
  EXPECT_EQ(due_times("7 seconds", "1969-12-31 23:59:50.5", 3),
            (Times{"1969-12-31 23:59:53", "1970-01-01 00:00", "1970-01-01 00:00:07"}));
  EXPECT_EQ(due_times("87600 hours", "1970-01-01 00:00", 1), (Times{"1979-12-30 00:00"}));
}

TEST(Interval, IgnoresTheZone) {
  const FakeZone berlin(hours{1}, {{utc("2024-03-31 01:00"), hours{2}}});
  EXPECT_EQ(due_times("90 minutes", "2024-03-31 00:00", 2, berlin),
            due_times("90 minutes", "2024-03-31 00:00", 2));
}

TEST(Interval, Refuses) {
  expect_refusal("0 seconds", "interval of \"0\" seconds is out of range", 1,
                 "An interval is from 1 to 315360000 seconds.");
  expect_refusal("315360001 second", "interval of \"315360001\" seconds is out of range", 1,
                 "from 1 to 315360000 seconds.");
  expect_refusal("99999999999999999999 hours",
                 "interval of \"99999999999999999999\" hours is out of range", 1, "87600 hours.");
  expect_refusal("5256001 minutes", "interval of \"5256001\" minutes is out of range", 1,
                 "5256000 minutes.");
  expect_refusal("-1 seconds", "\"-1\" is not a whole number", 1, "whole number of seconds");
  expect_refusal(" 1.5 hours", "\"1.5\" is not a whole number", 2, "whole number of seconds");
  expect_refusal("5 days", "unknown interval unit \"days\"", 3, "five cron fields");
  expect_refusal("5 min", "unknown interval unit \"min\"", 3, "seconds, minutes and hours");
  expect_refusal("5 minutes 30 seconds", "unexpected \"30\" after the interval", 11, "Write five");
  expect_refusal("5 minutes ago", "unexpected \"ago\" after the interval", 11, "15 minutes");
}

TEST(Schedule, RefusesWhatIsNoForm) {
  expect_refusal("", "schedule is empty", 1, "Write five fields");
  expect_refusal("daily", "unexpected \"daily\" in the minute field", 1, "takes 0 to 59");
  expect_refusal("15minutes", "unexpected \"minutes\" in the minute field", 3, "takes 0 to 59");
  expect_refusal("0 mon * * *", "unexpected \"mon\" in the hour field", 3, "takes 0 to 23");
  expect_refusal("  60 * * * *", "minute 60 is out of range", 3, "takes 0 to 59");
  expect_refusal("0 0 31 2 *", "the day-of-month field names no day that the months given have", 5,
                 "February");
}

// Whatever the bytes, parse() answers or throws a ScheduleError that points into the text.
TEST(Schedule, RefusesGarbageInOrder) {
  const std::string alphabet = "0123456789 \t*,-/@?#LWjanFEBmonsdhuretiy.\xC3\x01";
  std::mt19937 random(99);
  std::uniform_int_distribution<std::size_t> letter(0, alphabet.size() - 1);
  std::uniform_int_distribution<std::size_t> length(0, 24);
  const std::string valid = "*/5 0-12/3 1,15 jan-jun mon-fri";
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    if (i % 2 == 0) {
      for (std::size_t n = length(random); n > 0; --n) text += alphabet[letter(random)];
    } else {
      text = valid;
      for (int n = 0; n < 3; ++n) text[letter(random) % text.size()] = alphabet[letter(random)];
    }
    try {
      const auto due = Schedule::parse(text).next_after(Instant{}, utc_zone());
      ASSERT_TRUE(due && *due > Instant{}) << text;
    } catch (const ScheduleError& error) {
      ASSERT_GE(error.position(), 1U) << text;
      ASSERT_LE(error.position(), text.size() + 1) << text;
      ASSERT_FALSE(error.hint().empty()) << text;
    }
  }
}

TEST(EndsOfTime, HaveAnswers) {
  const FakeZone east(hours{14}), west(hours{-12});
  for (const TimeZone* zone : {&east, &west}) {
    for (const char* text : {"* * * * *", "0 0 * * *", "0 0 29 2 *", "30 seconds"}) {
      const Schedule schedule = Schedule::parse(text);
      EXPECT_EQ(schedule.next_after(Instant::max(), *zone), std::nullopt) << text;
      EXPECT_NE(schedule.next_after(Instant::min(), *zone), std::nullopt) << text;
      EXPECT_EQ(schedule.next_after(utc("10000-01-02 00:00"), *zone), std::nullopt) << text;
    }
  }
}

TEST(EndsOfTime, CronKnowsTheYears1400To9999) {
  const FakeZone east(hours{14}), west(hours{-12});
  EXPECT_EQ(due_times("0 0 * * *", "0100-01-01 00:00", 2),
            (Times{"1400-01-01 00:00", "1400-01-02 00:00"}));
  EXPECT_EQ(due_times("* * * * *", "1399-12-01 00:00", 1, east), (Times{"1399-12-31 10:00"}));
  EXPECT_EQ(due_times("0 0 * * *", "1399-12-01 00:00", 1, west), (Times{"1400-01-01 12:00"}));
  EXPECT_EQ(due_times("59 23 31 12 *", "9998-12-31 23:59", 2),
            (Times{"9999-12-31 23:59", "never"}));
  EXPECT_EQ(due_times("* * * * *", "9999-12-31 23:58:59", 2), (Times{"9999-12-31 23:59", "never"}));
  EXPECT_EQ(due_times("* * * * *", "10000-01-01 11:58", 2, west),
            (Times{"10000-01-01 11:59", "never"}));
  EXPECT_EQ(due_times("0 0 29 2 *", "9996-02-29 00:00", 1), (Times{"never"}));
  EXPECT_EQ(due_times("1 hour", "9999-12-31 22:30", 2), (Times{"9999-12-31 23:00", "never"}));
}

}  // namespace
}  // namespace metrics_refresh::core::test
