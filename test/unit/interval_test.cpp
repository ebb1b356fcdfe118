// Intervals: every way to write one, and when they are due.

#include <gtest/gtest.h>

#include <random>
#include <utility>

#include "unit/due_times.hpp"
#include "unit/fake_zone.hpp"
#include "unit/refusal.hpp"
#include "unit/system_zone.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;

void expect_equal(const std::string& a, const std::string& b) {
  EXPECT_EQ(due_times(a, "2023-12-30 22:58:30", 5), due_times(b, "2023-12-30 22:58:30", 5))
      << a << " and " << b;
}

TEST(Interval, IsReadInEveryForm) {
  for (const char* text :
       {"1 hour 30 minutes", "90 MINUTES", "@every 90m", "@EVERY 1h30m", "@every 1h 30m",
        "01:30:00", "1:30", "@every 01:30", "PT1H30M", "pt90m", "@every PT5400S", "5400 secs",
        "1 hr 30 mins", "@every 90minutes", "30 min 1 hour", "@every 0 hours 90 minutes"})
    expect_equal(text, "5400 seconds");
  for (const char* text : {"2 days", "@every 2d", "P2D", "@every 2 day"})
    expect_equal(text, "2 days");
  for (const char* text : {"1 week", "P1W", "@every 1w"}) expect_equal(text, "0 0 * * mon");
  for (const char* text : {"18 months", "1 year 6 months", "P1Y6M", "@every 1 yr 6 mons", "P18M"})
    expect_equal(text, "18 months");
  expect_equal("1 mon", "@monthly");
  expect_equal("1 year", "@yearly");
  expect_equal("P1D", "@daily");
  expect_equal("@every 1 second", "@seconds * * * * * *");
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

TEST(Interval, OfDaysIsAlignedToTheEpochToo) {
  EXPECT_EQ(due_times("2 days", "1970-01-01 00:00", 2),
            (Times{"1970-01-03 00:00", "1970-01-05 00:00"}));
  EXPECT_EQ(due_times("3 days", "1969-12-25 12:00", 3),
            (Times{"1969-12-26 00:00", "1969-12-29 00:00", "1970-01-01 00:00"}));
  EXPECT_EQ(due_times("2 days", "2024-02-27 12:00", 3),
            (Times{"2024-02-29 00:00", "2024-03-02 00:00", "2024-03-04 00:00"}));
}

TEST(Interval, OfWeeksIsDueOnMonday) {
  EXPECT_EQ(due_times("1 week", "2024-05-15 10:30", 2),
            (Times{"2024-05-20 00:00", "2024-05-27 00:00"}));
  EXPECT_EQ(due_times("2 weeks", "1969-12-28 00:00", 2),
            (Times{"1969-12-29 00:00", "1970-01-12 00:00"}));
}

TEST(Interval, OfMonthsIsAlignedToTheYear) {
  EXPECT_EQ(
      due_times("3 months", "2024-01-01 00:00", 4),
      (Times{"2024-04-01 00:00", "2024-07-01 00:00", "2024-10-01 00:00", "2025-01-01 00:00"}));
  EXPECT_EQ(due_times("5 months", "1969-05-15 10:30", 3),
            (Times{"1969-08-01 00:00", "1970-01-01 00:00", "1970-06-01 00:00"}));
  EXPECT_EQ(due_times("2 years", "2024-05-15 10:30", 2),
            (Times{"2026-01-01 00:00", "2028-01-01 00:00"}));
  EXPECT_EQ(due_times("10 years", "9985-01-01 00:00", 2), (Times{"9990-01-01 00:00", "never"}));
  EXPECT_EQ(due_times("1 month", "9999-11-15 00:00", 2), (Times{"9999-12-01 00:00", "never"}));
}

TEST(Interval, OfFixedLengthIgnoresTheZone) {
  const FakeZone berlin(hours{1}, {{utc("2024-03-31 01:00"), hours{2}}});
  EXPECT_EQ(due_times("90 minutes", "2024-03-31 00:00", 2, berlin),
            due_times("90 minutes", "2024-03-31 00:00", 2));
}

TEST(Interval, OfTheCalendarBeginsAtMidnightInTheZone) {
  const FakeZone berlin = system_zone("Europe/Berlin");
  EXPECT_EQ(due_times("1 day", "2024-03-30 12:00", 3, berlin),
            (Times{"2024-03-30 23:00", "2024-03-31 22:00", "2024-04-01 22:00"}));
  EXPECT_EQ(due_times("3 months", "2024-03-30 12:00", 2, berlin),
            (Times{"2024-03-31 22:00", "2024-06-30 22:00"}));
  const FakeZone havana(
      hours{-5}, {{utc("2024-03-10 05:00"), hours{-4}}, {utc("2024-11-03 05:00"), hours{-5}}});
  EXPECT_EQ(due_times("1 day", "2024-03-09 12:00", 2, havana),  // midnight is in the gap
            (Times{"2024-03-10 05:00", "2024-03-11 04:00"}));
  EXPECT_EQ(due_times("1 day", "2024-11-02 12:00", 2, havana),  // midnight comes twice
            (Times{"2024-11-03 04:00", "2024-11-04 05:00"}));
}

TEST(Interval, OfTheCalendarAgreesWithCron) {
  const std::vector<std::pair<std::string, std::string>> pairs = {{"1 day", "0 0 * * *"},
                                                                  {"1 week", "0 0 * * mon"},
                                                                  {"1 month", "0 0 1 * *"},
                                                                  {"4 months", "0 0 1 */4 *"},
                                                                  {"1 year", "0 0 1 1 *"}};
  std::mt19937_64 random(1492);
  std::uniform_int_distribution<std::int64_t> moment(
      utc("1890-01-01 00:00").time_since_epoch().count(),
      utc("2036-01-01 00:00").time_since_epoch().count());
  for (const char* const name :
       {"Europe/Berlin", "America/Havana", "Pacific/Apia", "Asia/Manila"}) {
    const FakeZone zone = system_zone(name);
    for (const auto& [interval, cron] : pairs) {
      const Schedule one = Schedule::parse(interval);
      const Schedule other = Schedule::parse(cron);
      for (int i = 0; i < 300; ++i) {
        const Instant t{Duration{moment(random)}};
        const Instant shift = zone.period_at(t).begin;
        for (const Instant after : {t, std::max(shift, utc("1890-01-01 00:00")) - hours{1}})
          ASSERT_EQ(text_of(one.next_after(after, zone)), text_of(other.next_after(after, zone)))
              << interval << " after " << text_of(after) << " in " << name;
      }
    }
  }
}

TEST(Interval, RefusesWhatIsOutOfRange) {
  expect_refusal({"0 seconds", "interval of \"0 seconds\" is out of range", 1,
                  "An interval is from 1 to 315360000 seconds."});
  expect_refusal({"315360001 second", "interval of \"315360001 second\" is out of range", 1,
                  "from 1 to 315360000 seconds."});
  expect_refusal({"99999999999999999999 hours",
                  "interval of \"99999999999999999999 hou...\" is out of range", 1, "seconds."});
  expect_refusal({"3651 days", "interval of \"3651 days\" is out of range", 1, "to 3650 days."});
  expect_refusal({"P11Y", "interval of \"P11Y\" is out of range", 1, "to 120 months."});
  expect_refusal({"00:00", "interval of \"00:00\" is out of range", 1, "seconds."});
  expect_refusal({"@every 01:60", "minutes of an interval go up to 59", 11, "01:30:00"});
}

TEST(Interval, RefusesWhatIsNoNumberOrUnit) {
  expect_refusal({"-5 minutes", "\"-5\" is not a whole number", 1, "90 seconds"});
  expect_refusal({"1.5 hours", "\"1.5\" is not a whole number", 2, "1 hour 30 minutes"});
  expect_refusal({"five minutes", "\"five\" is not a whole number", 1, "90 seconds"});
  expect_refusal({"5 fortnights", "unknown interval unit \"fortnights\"", 3, "The units are"});
  expect_refusal({"5 minuts", "unknown interval unit \"minuts\"", 3, "Write minutes."});
  expect_refusal({"@every 5 m", "unknown interval unit \"m\"", 10, "The units are"});
  expect_refusal({"@every 100ms", "unknown interval unit \"ms\"", 11, "The units are"});
  expect_refusal({"@every", "the interval is missing", 7, "PT1H30M"});
  expect_refusal({"@every 15", "the unit of the interval is missing", 10, "90 seconds"});
  expect_refusal({"@every minute", "\"minute\" is not a whole number", 8, "90 seconds"});
}

TEST(Interval, RefusesWhatIsLeftOver) {
  expect_refusal({"5 minutes ago", "unexpected \"ago\" after the interval", 11, "90 seconds"});
  expect_refusal({"PT15M 5", "unexpected \"5\" after the interval", 7, "PT1H30M"});
  expect_refusal({"PT15MS", "a number is missing in \"PT15MS\"", 6, "PT1H30M"});
  expect_refusal({"PT15M5H", "\"PT15M5H\" is not an ISO 8601 duration", 7, "PT1H30M"});
  expect_refusal({"P1", "\"P1\" is not an ISO 8601 duration", 3, "PT1H30M"});
  expect_refusal({"1:2:3:4", "\"1:2:3:4\" is not an interval", 6, "01:30:00"});
}

TEST(Interval, RefusesAUnitTwice) {
  expect_refusal({"1 minute 30 minutes", "the interval has minutes twice", 13, "90 seconds"});
  expect_refusal({"@every 1h5m5m", "the interval has minutes twice", 13, "1h30m"});
  std::string twenty = "1 second";
  for (int i = 1; i < 20; ++i) twenty += " 1 second";
  expect_refusal({twenty, "the interval has seconds twice", 12, "90 seconds"});
  expect_refusal(
      {"@after" + std::string(18, ' ') + twenty, "the interval has seconds twice", 36, ""});
}

TEST(Interval, RefusesMixtures) {
  expect_refusal({"1 day 12 hours", "the interval mixes days with hours, minutes or seconds", 10,
                  "for 25 hours"});
  expect_refusal({"P1M1D", "the interval mixes months or years with days", 5, "months and years"});
  expect_refusal({"1 week 1 day", "the interval mixes weeks with days", 10, "of weeks"});
}

}  // namespace
}  // namespace metrics_refresh::core::test
