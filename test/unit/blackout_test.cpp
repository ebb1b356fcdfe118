// Windows in which nothing is due: what can be written, where windows begin and end, also where the
// clock is set forward and back.

#include "core/schedule/blackout.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "core/schedule/local_time.hpp"
#include "unit/due_times.hpp"
#include "unit/system_zone.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

std::string end_of(const std::string& window, const std::string& t,
                   const TimeZone& zone = utc_zone()) {
  const auto end = Blackout::parse(window).end_of(utc(t), zone);
  return end ? text_of(end) : "outside";
}

TEST(Blackout, WindowOfEveryDay) {
  EXPECT_EQ(end_of("08:00-18:30", "2024-05-15 07:59:59.999999"), "outside");
  EXPECT_EQ(end_of("08:00-18:30", "2024-05-15 08:00"), "2024-05-15 18:30");
  EXPECT_EQ(end_of("08:00-18:30", "2024-05-15 18:29:59.999999"), "2024-05-15 18:30");
  EXPECT_EQ(end_of("08:00-18:30", "2024-05-15 18:30"), "outside");
}

TEST(Blackout, WindowIntoTheNextDay) {
  EXPECT_EQ(end_of("fri 22:00-06:00", "2024-05-17 21:59"), "outside");  // a Friday
  EXPECT_EQ(end_of("fri 22:00-06:00", "2024-05-17 22:00"), "2024-05-18 06:00");
  EXPECT_EQ(end_of("fri 22:00-06:00", "2024-05-18 05:59"), "2024-05-18 06:00");
  EXPECT_EQ(end_of("fri 22:00-06:00", "2024-05-18 22:00"), "outside");
  EXPECT_EQ(end_of("fri 22:00-06:00", "2024-05-17 05:00"), "outside");
}

TEST(Blackout, DaysAreThoseOfCron) {
  EXPECT_EQ(end_of(" MON-FRI  09:00-17:00 ", "2024-05-18 12:00"), "outside");
  EXPECT_EQ(end_of("1-5 09:00-17:00", "2024-05-17 12:00"), "2024-05-17 17:00");
  EXPECT_EQ(end_of("7 09:00-17:00", "2024-05-19 12:00"), "2024-05-19 17:00");
  EXPECT_EQ(end_of("sun 09:00-17:00", "2024-05-19 12:00"), "2024-05-19 17:00");
  EXPECT_EQ(end_of("sat,sun 00:00-24:00", "2024-05-18 12:00"), "2024-05-19 00:00");
  EXPECT_EQ(end_of("*/2 00:00-24:00", "2024-05-14 12:00"), "2024-05-15 00:00");
}

TEST(Blackout, EqualTimesAreAWholeDay) {
  EXPECT_EQ(end_of("wed 10:00-10:00", "2024-05-15 09:59"), "outside");
  EXPECT_EQ(end_of("wed 10:00-10:00", "2024-05-16 09:59"), "2024-05-16 10:00");
  EXPECT_EQ(end_of("wed 10:00-00:00", "2024-05-15 23:59"), "2024-05-16 00:00");
}

TEST(Blackout, FollowsTheClockOfTheZone) {
  const FakeZone kolkata(minutes{330});
  EXPECT_EQ(end_of("mon 00:00-01:00", "2024-05-19 18:29", kolkata), "outside");
  EXPECT_EQ(end_of("mon 00:00-01:00", "2024-05-19 18:30", kolkata), "2024-05-19 19:30");
}

TEST(Blackout, TimesInTheSpringGapMoveBehindIt) {
  const FakeZone berlin = system_zone("Europe/Berlin");  // 02:00 to 03:00 is left out at 01:00 UTC
  EXPECT_EQ(end_of("02:30-05:00", "2024-03-31 00:59:59", berlin), "outside");
  EXPECT_EQ(end_of("02:30-05:00", "2024-03-31 01:00", berlin), "2024-03-31 03:00");
  EXPECT_EQ(end_of("01:00-02:30", "2024-03-31 00:30", berlin), "2024-03-31 01:00");
  EXPECT_EQ(end_of("01:00-02:30", "2024-03-31 01:00", berlin), "outside");
  EXPECT_EQ(end_of("02:10-02:50", "2024-03-31 01:00", berlin), "outside");
}

TEST(Blackout, LastsUntilTheClockIsPastItsEndForGood) {
  const FakeZone berlin = system_zone("Europe/Berlin");  // 02:00 to 03:00 is repeated at 01:00 UTC
  EXPECT_EQ(end_of("01:00-02:30", "2024-10-27 00:45", berlin), "2024-10-27 01:30");
  EXPECT_EQ(end_of("01:00-02:00", "2024-10-26 23:45", berlin), "2024-10-27 00:00");
  EXPECT_EQ(end_of("01:00-02:00", "2024-10-27 00:00", berlin), "outside");
  EXPECT_EQ(end_of("02:30-03:00", "2024-10-27 00:29", berlin), "outside");
  EXPECT_EQ(end_of("02:30-03:00", "2024-10-27 00:30", berlin), "2024-10-27 02:00");
}

TEST(Blackout, ADayThatAZoneLeavesOut) {
  const FakeZone apia = system_zone("Pacific/Apia");  // no 30 December 2011, a Friday
  EXPECT_EQ(end_of("thu 22:00-06:00", "2011-12-30 09:59", apia), "2011-12-30 10:00");
  EXPECT_EQ(end_of("fri 00:00-24:00", "2011-12-30 10:00", apia), "outside");
  EXPECT_EQ(end_of("sat 00:00-24:00", "2011-12-30 10:00", apia), "2011-12-31 10:00");
}

TEST(Blackout, TimesOutsideOfTheCalendarAreOutside) {
  const Blackout always = Blackout::parse("00:00-24:00");
  EXPECT_FALSE(always.end_of(Instant::min(), utc_zone()));
  EXPECT_FALSE(always.end_of(Instant::max(), utc_zone()));
}

struct Refused {
  std::string text;
  std::size_t position;
  std::string message;
};

TEST(Blackout, RefusesWhatIsNoWindow) {
  const std::vector<Refused> all = {
      {"", 1, "blackout window is empty"},
      {"  ", 1, "blackout window is empty"},
      {"mon", 4, "the times of day are missing"},
      {"mon ", 4, "the times of day are missing"},
      {"mon tue 08:00-09:00", 5, "\"tue\" is not a window of the day"},
      {"xyz 08:00-09:00", 1, "unknown name \"xyz\" in the day-of-week field"},
      {"8 08:00-09:00", 1, "day-of-week 8 is out of range"},
      {"fri#1 08:00-09:00", 4, "unexpected \"#\" in the day-of-week field"},
      {"friL 08:00-09:00", 1, "unknown name \"friL\" in the day-of-week field"},
      {"L 08:00-09:00", 1, "unknown name \"L\" in the day-of-week field"},
      {"H 08:00-09:00", 1, "unknown name \"H\" in the day-of-week field"},
      {"? 08:00-09:00", 1, "unexpected \"?\" in the day-of-week field"},
      {"8:00-09:00", 2, "\"8:00-09:00\" is not a window of the day"},
      {"08:00-9:00", 8, "\"08:00-9:00\" is not a window of the day"},
      {"08:00", 6, "\"08:00\" is not a window of the day"},
      {"08:00-", 7, "\"08:00-\" is not a window of the day"},
      {"08:00-09:00:00", 12, "\"08:00-09:00:00\" is not a window of the day"},
      {"08:00 - 09:00", 6, "\"08:00\" is not a window of the day"},
      {"08:60-09:00", 1, "time 08:60 is out of range"},
      {"mon 08:00-24:01", 11, "time 24:01 is out of range"},
      {"25:00-09:00", 1, "time 25:00 is out of range"},
      {"24:00-09:00", 1, "a window cannot begin at 24:00"},
      {"08:00-09:00 mon", 13, "unexpected \"mon\" after the times of day"},
      {"08:00\xE2\x80\x93"
       "09:00",
       6, "unexpected \"\xE2\x80\x93\" (U+2013) in the blackout window"},
      {std::string(1001, ' '), 1001, "blackout window is 1001 characters long"}};
  for (const Refused& refused : all) {
    try {
      Blackout::parse(refused.text);
      ADD_FAILURE() << "accepted " << refused.text;
    } catch (const ScheduleError& error) {
      EXPECT_EQ(error.what(), refused.message);
      EXPECT_EQ(error.position(), refused.position) << refused.text;
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

TEST(BlackoutProperty, ParsesOrRefusesWhateverIsWritten) {
  std::mt19937 random(7);
  const std::string letters = "0123456789::--,*/ monfriSAT@\t\x80";
  for (int i = 0; i < 50'000; ++i) {
    std::string text = i % 2 == 0 ? "mon-fri 08:00-18:00" : "22:15-06:45";
    for (auto edits = random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % (text.size() + 1);
      const char letter = letters[random() % letters.size()];
      if (random() % 3 == 0)
        text.insert(at, 1, letter);
      else if (at < text.size() && random() % 2 == 0)
        text.erase(at, 1);
      else if (at < text.size())
        text[at] = letter;
    }
    try {
      const Blackout blackout = Blackout::parse(text);
      const Instant t = utc("2024-05-15 12:00");
      const auto end = blackout.end_of(t, utc_zone());
      EXPECT_TRUE(!end || (*end > t && *end - t <= hours{24})) << text;
    } catch (const ScheduleError& error) {
      EXPECT_GE(error.position(), 1U) << text;
      EXPECT_LE(error.position(), text.size() + 1) << text;
    }
  }
}

// The window's end is later and not in it, but where windows touch or overlap; and as long as the
// clock runs evenly, the clock says who is in it.
TEST(BlackoutProperty, EndsAreLaterAndOutside) {
  std::mt19937 random(11);
  for (const char* name : {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                           "Pacific/Apia", "Asia/Kolkata"}) {
    const FakeZone zone = system_zone(name);
    for (int i = 0; i < 300; ++i) {
      const int first = static_cast<int>(random() % 7), begin = static_cast<int>(random() % 1440);
      const int end = static_cast<int>(random() % 1440);
      char text[40];
      std::snprintf(text, sizeof text, "%d-6 %02d:%02d-%02d:%02d", first, begin / 60, begin % 60,
                    end / 60, end % 60);
      const Blackout blackout = Blackout::parse(text);
      for (int j = 0; j < 50; ++j) {
        const Instant t = utc("2011-01-01 00:00") + minutes{random() % (60 * 24 * 365)};
        const auto found = blackout.end_of(t, zone);
        const TimeZone::Period period = zone.period_at(t);
        if (found) {
          ASSERT_GT(*found, t) << name << ' ' << text;
          ASSERT_TRUE(begin == end || *found - t <= hours{49}) << name << ' ' << text;
          const auto beyond = blackout.end_of(*found, zone);
          ASSERT_TRUE(!beyond || begin == end || *beyond > *found) << name << ' ' << text;
        }
        if (t < period.begin + hours{49} || t > period.end - hours{49}) continue;
        const auto local = std::chrono::floor<minutes>(to_local(t, period.offset));
        const auto day = std::chrono::floor<Days>(local);
        const int minute = static_cast<int>((local - day).count());
        const auto in_days = [&](LocalDay d) { return static_cast<int>(weekday_of(d)) >= first; };
        const bool inside = end > begin ? in_days(day) && minute >= begin && minute < end
                                        : (in_days(day) && minute >= begin) ||
                                              (in_days(day - Days{1}) && minute < end);
        ASSERT_EQ(found.has_value(), inside) << name << ' ' << text << " at " << text_of(t);
        ASSERT_TRUE(!found || begin == end || !blackout.end_of(*found, zone)) << text;
      }
    }
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
