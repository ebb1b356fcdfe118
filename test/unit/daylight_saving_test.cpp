// The rules for daylight saving time in schedule.hpp, an example or more for each, and for the odd
// things that governments have done to clocks.

#include <gtest/gtest.h>

#include "unit/due_times.hpp"
#include "unit/fake_zone.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Berlin: 02:00 becomes 03:00 on 31 March, 03:00 becomes 02:00 on 27 October.
class Berlin : public testing::Test {
 protected:
  const FakeZone zone_{hours{1},
                       {{utc("2024-03-31 01:00"), hours{2}}, {utc("2024-10-27 01:00"), hours{1}}}};
};

TEST_F(Berlin, FixedTimeInTheGapIsDueAtItsEnd) {
  EXPECT_EQ(due_times("30 2 * * *", "2024-03-30 01:00", 3, zone_),
            (Times{"2024-03-30 01:30", "2024-03-31 01:00", "2024-04-01 00:30"}));
}

TEST_F(Berlin, FixedTimesInOneGapAreDueOnce) {
  EXPECT_EQ(
      due_times("15,45 2,3 * * *", "2024-03-31 00:59:59", 4, zone_),
      (Times{"2024-03-31 01:00", "2024-03-31 01:15", "2024-03-31 01:45", "2024-04-01 00:15"}));
  EXPECT_EQ(due_times("0,30 2-3 * * *", "2024-03-31 00:00", 2, zone_),
            (Times{"2024-03-31 01:00", "2024-03-31 01:30"}));
}

TEST_F(Berlin, FixedTimeThatOccursTwiceIsDueTheFirstTime) {
  EXPECT_EQ(due_times("30 2 * * *", "2024-10-26 12:00", 2, zone_),
            (Times{"2024-10-27 00:30", "2024-10-28 01:30"}));
  EXPECT_EQ(due_times("0,30 2,3 * * *", "2024-10-27 00:30", 2, zone_),
            (Times{"2024-10-27 02:00", "2024-10-27 02:30"}));
}

TEST_F(Berlin, FixedTimeIsNotDueAgainInTheSecondPass) {
  EXPECT_EQ(due_times("30 2 * * *", "2024-10-27 01:00", 1, zone_), (Times{"2024-10-28 01:30"}));
  EXPECT_EQ(due_times("30 2 * * *", "2024-10-27 01:15", 1, zone_), (Times{"2024-10-28 01:30"}));
}

TEST_F(Berlin, WildcardFollowsTheClock) {
  EXPECT_EQ(
      due_times("*/30 * * * *", "2024-03-31 00:00", 4, zone_),
      (Times{"2024-03-31 00:30", "2024-03-31 01:00", "2024-03-31 01:30", "2024-03-31 02:00"}));
  EXPECT_EQ(due_times("15 * * * *", "2024-10-27 00:00", 3, zone_),
            (Times{"2024-10-27 00:15", "2024-10-27 01:15", "2024-10-27 02:15"}));
}

TEST_F(Berlin, WildcardWithinOneHourIsNeverDueInTheGapAndTwiceInTheRepeat) {
  EXPECT_EQ(due_times("*/30 2 * * *", "2024-03-30 01:00", 3, zone_),
            (Times{"2024-03-30 01:30", "2024-04-01 00:00", "2024-04-01 00:30"}));
  EXPECT_EQ(
      due_times("*/30 2 * * *", "2024-10-27 00:00", 4, zone_),
      (Times{"2024-10-27 00:30", "2024-10-27 01:00", "2024-10-27 01:30", "2024-10-28 01:00"}));
  EXPECT_EQ(due_times("0-30/30 2 * * *", "2024-10-27 00:30", 1, zone_),
            (Times{"2024-10-27 01:00"}));
}

TEST_F(Berlin, TellsAStepOverHoursFromAListOfThem) {
  EXPECT_EQ(due_times("30 */2 * * *", "2024-03-31 00:00", 1, zone_), (Times{"2024-03-31 02:30"}));
  EXPECT_EQ(due_times("30 0,2,4 * * *", "2024-03-31 00:00", 1, zone_), (Times{"2024-03-31 01:00"}));
}

TEST(Dst, GapAtMidnightDoesNotLoseTheDay) {  // Havana
  const FakeZone zone(hours{-5}, {{utc("2024-03-10 05:00"), hours{-4}}});
  EXPECT_EQ(due_times("0 0 * * *", "2024-03-09 12:00", 2, zone),
            (Times{"2024-03-10 05:00", "2024-03-11 04:00"}));
  EXPECT_EQ(due_times("0 0 * * sun", "2024-03-09 12:00", 1, zone), (Times{"2024-03-10 05:00"}));
}

TEST(Dst, SkippedDayIsDueOnceAtItsEnd) {  // Apia left out 2011-12-30
  const FakeZone zone(hours{-10}, {{utc("2011-12-30 10:00"), hours{14}}});
  EXPECT_EQ(
      due_times("0 9,17 * * *", "2011-12-30 00:00", 4, zone),
      (Times{"2011-12-30 03:00", "2011-12-30 10:00", "2011-12-30 19:00", "2011-12-31 03:00"}));
  EXPECT_EQ(due_times("0 12 30 12 *", "2011-12-01 00:00", 1, zone), (Times{"2011-12-30 10:00"}));
  EXPECT_EQ(due_times("*/30 * 30 12 *", "2011-12-01 00:00", 1, zone), (Times{"2012-12-29 10:00"}));
}

TEST(Dst, RepeatedDayIsDueOnce) {  // Kwajalein would have had one, had it moved the other way
  const FakeZone zone(hours{12}, {{utc("2000-01-01 12:00"), hours{-12}}});
  EXPECT_EQ(due_times("0 6 * * *", "1999-12-31 12:00", 3, zone),
            (Times{"1999-12-31 18:00", "2000-01-02 18:00", "2000-01-03 18:00"}));
  EXPECT_EQ(due_times("0 */12 * * *", "2000-01-01 00:00", 3, zone),
            (Times{"2000-01-01 12:00", "2000-01-02 00:00", "2000-01-02 12:00"}));
}

TEST(Dst, HalfAnHourIsEnough) {  // Lord Howe
  const FakeZone zone(minutes{630}, {{utc("2024-10-05 15:30"), hours{11}},
                                     {utc("2025-04-05 15:00"), minutes{630}}});
  EXPECT_EQ(due_times("15 2 * * *", "2024-10-05 15:00", 1, zone), (Times{"2024-10-05 15:30"}));
  EXPECT_EQ(due_times("45 1 * * *", "2025-04-05 14:00", 2, zone),
            (Times{"2025-04-05 14:45", "2025-04-06 15:15"}));
  EXPECT_EQ(due_times("45 * * * *", "2025-04-05 14:00", 2, zone),
            (Times{"2025-04-05 14:45", "2025-04-05 15:15"}));
}

TEST(Dst, OffsetsMayHaveSeconds) {  // Berlin, 1893: local mean time +0:53:28
  const FakeZone zone(seconds{3208}, {{utc("1893-03-31 23:06:32"), hours{1}}});
  EXPECT_EQ(due_times("0 12 * * *", "1893-03-30 12:00", 3, zone),
            (Times{"1893-03-31 11:06:32", "1893-04-01 11:00", "1893-04-02 11:00"}));
  EXPECT_EQ(due_times("5 0 1 4 *", "1893-03-30 12:00", 1, zone), (Times{"1893-03-31 23:06:32"}));
  EXPECT_EQ(due_times("* * * * *", "1893-03-31 23:05:00", 3, zone),
            (Times{"1893-03-31 23:05:32", "1893-03-31 23:07", "1893-03-31 23:08"}));
}

TEST(Dst, PeriodsOfEqualOffsetAreOne) {
  const FakeZone split(
      hours{1}, {{utc("2024-05-01 10:00"), hours{1}}, {utc("2024-05-01 10:00:30"), hours{1}}});
  const FakeZone whole(hours{1});
  for (const char* text : {"* * * * *", "0 11 * * *", "0,1 11-12 * * *", "*/7 11 1 5 *"}) {
    EXPECT_EQ(due_times(text, "2024-05-01 09:58", 5, split),
              due_times(text, "2024-05-01 09:58", 5, whole))
        << text;
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
