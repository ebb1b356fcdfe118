// Schedules as a whole: nicknames, intervals, and the ends of time.

#include "core/schedule/schedule.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "unit/due_times.hpp"
#include "unit/fake_zone.hpp"
#include "unit/refusal.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;

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
  expect_refusal(
      {" @fortnightly", "unknown nickname \"@fortnightly\"", 2, "@annually and @reboot"});
  expect_refusal({"@hourl", "unknown nickname \"@hourl\"", 1, "Write @hourly."});
  expect_refusal({"@dayly", "unknown nickname \"@dayly\"", 1, "Write @daily."});
  expect_refusal({"@evry 5 minutes", "unknown nickname \"@evry\"", 1, "Write @every."});
  expect_refusal({"@", "unknown nickname \"@\"", 1, "@hourly"});
  expect_refusal({"@daily 5", "unexpected \"5\" after the nickname", 8, "Write five fields"});
  expect_refusal({"@reboot 5", "unexpected \"5\" after the nickname", 9, "Write five fields"});
}

TEST(Several, AreDueWhenAnyIs) {
  EXPECT_EQ(
      due_times("0 9 * * *; 30 17 * * mon-fri ;@monthly", "2024-05-31 08:00", 4),
      (Times{"2024-05-31 09:00", "2024-05-31 17:30", "2024-06-01 00:00", "2024-06-01 09:00"}));
  EXPECT_EQ(due_times("0 0 29 2 *;6 hours", "2024-02-28 13:00", 3),
            (Times{"2024-02-28 18:00", "2024-02-29 00:00", "2024-02-29 06:00"}));
}

TEST(Several, RefuseWhatIsEmpty) {
  expect_refusal({"@daily;", "one of the schedules is empty", 8, "none after the last"});
  expect_refusal({"; @daily", "one of the schedules is empty", 1, "there is one ;"});
  expect_refusal({"@daily; ;@hourly", "one of the schedules is empty", 9, "there is one ;"});
  expect_refusal({"@daily; 0 25 * * *", "hour 25 is out of range", 11, "takes 0 to 23"});
}

TEST(AfterFinish, CountsFromTheEndOfTheRunBefore) {
  const Schedule schedule = Schedule::parse("@after 1h30m");
  EXPECT_TRUE(schedule.counts_from_end());
  EXPECT_FALSE(Schedule::parse("90 minutes; @daily").counts_from_end());
  const Instant end = utc("2024-05-15 10:20");
  const auto next = [&](const std::string& after, std::optional<Instant> from) {
    return text_of(schedule.next_after(utc(after), utc_zone(), from));
  };
  EXPECT_EQ(next("2024-05-15 09:00", end), "2024-05-15 11:50");
  EXPECT_EQ(next("2024-05-15 11:49:59", end), "2024-05-15 11:50");
  EXPECT_EQ(next("2024-05-15 11:50", end), "2024-05-15 13:20");
  EXPECT_EQ(next("2024-05-15 18:00", end), "2024-05-15 19:20");
  EXPECT_EQ(next("2024-05-15 11:50", std::nullopt), "2024-05-15 13:20");
  EXPECT_EQ(next("2024-05-15 11:50", Instant::max()), "never");
}

TEST(AfterFinish, Refuses) {
  expect_refusal({"@after", "the interval is missing", 7, "1 hour 30 minutes"});
  expect_refusal(
      {"@after 2 days", "@after counts in hours, minutes and seconds", 8, "A day is 24 hours"});
  expect_refusal({"@after 0s", "interval of \"0s\" is out of range", 8, "from 1 to"});
}

TEST(Reboot, IsDueAtTheStartOfTheServer) {
  const Instant start = utc("2024-05-15 10:20:30.5");
  const Schedule schedule = Schedule::parse("@reboot", {"", start});
  EXPECT_EQ(schedule.next_after(utc("2024-01-01 00:00"), utc_zone()), start);
  EXPECT_EQ(schedule.next_after(start, utc_zone()), std::nullopt);
  EXPECT_EQ(schedule.server_start(), start);
  EXPECT_TRUE(schedule.is_due_at_server_start());
  EXPECT_EQ(due_times("@Reboot", "2024-01-01 00:00", 1), Times{"never"});
  EXPECT_EQ(due_times("@reboot; @yearly", "2024-01-01 00:00", 1), Times{"2025-01-01 00:00"});
  EXPECT_FALSE(Schedule::parse("@daily").is_due_at_server_start());
}

TEST(Schedule, RefusesWhatIsNoForm) {
  expect_refusal({"", "schedule is empty", 1, "Write five fields"});
  expect_refusal({"daily", "there is no @ before \"daily\"", 1, "Write @daily."});
  expect_refusal({"15minutes", "\"15minutes\" alone is no schedule", 1, "write @every 15minutes."});
  expect_refusal({" 1h30m", "\"1h30m\" alone is no schedule", 2, "write @every 1h30m."});
  expect_refusal({"0 mon * * *", "unexpected \"mon\" in the hour field", 3, "takes 0 to 23"});
  expect_refusal({"  60 * * * *", "minute 60 is out of range", 3, "takes 0 to 59"});
}

// Whatever the bytes, parse() answers or throws a ScheduleError that points into the text.
TEST(Schedule, RefusesGarbageInOrder) {
  const std::string alphabet = "0123456789 \t*,-/@?#$();:LWHPTjanFEBmonsdhuretiyvf.\xC3\x01";
  std::mt19937 random(99);
  std::uniform_int_distribution<std::size_t> letter(0, alphabet.size() - 1);
  std::uniform_int_distribution<std::size_t> length(0, 24);
  const std::string all_valid[] = {
      "*/5 0-12/3 1,15 jan-jun mon-fri", "H(0-29)/10 H 15W,L-2 * friL,mon#2",
      "@seconds 5 0 22-2 ? 2/3 6#1;@after 1h30m", "@every 1 hour 30 minutes",
      "P1Y6M;PT90M;01:30:00;@reboot;2 weeks"};
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    if (i % 2 == 0) {
      for (std::size_t n = length(random); n > 0; --n) text += alphabet[letter(random)];
    } else {
      text = all_valid[static_cast<std::size_t>(i / 2) % 5];
      for (int n = 0; n < 3; ++n) text[letter(random) % text.size()] = alphabet[letter(random)];
    }
    try {
      const auto due =
          Schedule::parse(text, {"job", utc("1970-02-01 00:00")}).next_after(Instant{}, utc_zone());
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
    for (const char* text : {"* * * * *", "0 0 * * *", "0 0 29 2 *", "30 seconds", "2 days",
                             "3 weeks", "5 months", "@after 1h", "0 0 ? 2 mon#5"}) {
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
