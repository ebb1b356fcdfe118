// L, L-n, LW, nW, $, aL and a#k: days that only a month makes into numbers.

#include <gtest/gtest.h>

#include "unit/due_times.hpp"

namespace metrics_refresh::core::test {
namespace {

// The days from 2024-01-01 on, without their time.
Times days(const std::string& day_of_month, const std::string& month,
           const std::string& day_of_week, int count,
           const std::string& after = "2023-12-31 23:59") {
  Times result;
  for (const std::string& time :
       due_times("0 0 " + day_of_month + " " + month + " " + day_of_week, after, count))
    result.push_back(time.substr(0, 10));
  return result;
}

TEST(DayRule, TheLastDayOfTheMonth) {
  EXPECT_EQ(days("L", "*", "*", 4),
            (Times{"2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"}));
  EXPECT_EQ(days("L", "2", "*", 3), (Times{"2024-02-29", "2025-02-28", "2026-02-28"}));
  EXPECT_EQ(days("$", "*", "*", 6), days("l", "*", "?", 6));
  EXPECT_EQ(days("L-1", "2", "*", 2), (Times{"2024-02-28", "2025-02-27"}));
  EXPECT_EQ(days("L-28", "2", "*", 2), (Times{"2024-02-01", "2028-02-01"}));
  EXPECT_EQ(days("L-30", "*", "*", 3), (Times{"2024-01-01", "2024-03-01", "2024-05-01"}));
  EXPECT_EQ(days("15,L", "*", "*", 3), (Times{"2024-01-15", "2024-01-31", "2024-02-15"}));
  EXPECT_EQ(days("L,L-2", "2", "*", 2), (Times{"2024-02-27", "2024-02-29"}));
}

TEST(DayRule, TheLastMondayToFriday) {
  EXPECT_EQ(days("LW", "*", "*", 6), (Times{"2024-01-31", "2024-02-29", "2024-03-29", "2024-04-30",
                                            "2024-05-31", "2024-06-28"}));
}

TEST(DayRule, TheNearestMondayToFridayStaysInTheMonth) {
  EXPECT_EQ(days("15W", "*", "*", 6), (Times{"2024-01-15", "2024-02-15", "2024-03-15", "2024-04-15",
                                             "2024-05-15", "2024-06-14"}));
  EXPECT_EQ(days("1W", "6,9", "*", 2), (Times{"2024-06-03", "2024-09-02"}));   // Saturday, Sunday
  EXPECT_EQ(days("31w", "3,8", "*", 2), (Times{"2024-03-29", "2024-08-30"}));  // Sunday, Saturday
  EXPECT_EQ(days("30W", "*", "*", 3), (Times{"2024-01-30", "2024-03-29", "2024-04-30"}));
  EXPECT_EQ(days("31W", "*", "*", 2), (Times{"2024-01-31", "2024-03-29"}));
}

TEST(DayRule, TheLastOfAWeekday) {
  EXPECT_EQ(days("*", "*", "5L", 3), (Times{"2024-01-26", "2024-02-23", "2024-03-29"}));
  EXPECT_EQ(days("?", "*", "friL", 3), days("*", "*", "5l", 3));
  EXPECT_EQ(days("*", "*", "0L", 5), days("*", "*", "7L", 5));
  EXPECT_EQ(days("*", "2", "thuL", 2), (Times{"2024-02-29", "2025-02-27"}));
  EXPECT_EQ(days("*", "*", "mon,friL", 5),
            (Times{"2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-01-26"}));
}

TEST(DayRule, TheNthOfAWeekday) {
  EXPECT_EQ(days("*", "*", "mon#1", 3), (Times{"2024-01-01", "2024-02-05", "2024-03-04"}));
  EXPECT_EQ(days("*", "*", "5#2", 2), (Times{"2024-01-12", "2024-02-09"}));
  EXPECT_EQ(days("*", "*", "sun#5", 2), (Times{"2024-03-31", "2024-06-30"}));
  EXPECT_EQ(days("*", "*", "7#1", 5), days("*", "*", "0#1", 5));
  EXPECT_EQ(days("*", "2", "thu#5", 2), (Times{"2024-02-29", "2052-02-29"}));
  EXPECT_EQ(days("*", "*", "wed#1,WED#3", 3), (Times{"2024-01-03", "2024-01-17", "2024-02-07"}));
}

TEST(DayRule, EitherFieldIsEnoughWhereBothAreRestricted) {
  EXPECT_EQ(days("L", "*", "mon#1", 4),
            (Times{"2024-01-01", "2024-01-31", "2024-02-05", "2024-02-29"}));
  EXPECT_EQ(days("?", "*", "mon#1", 2), (Times{"2024-01-01", "2024-02-05"}));
  EXPECT_EQ(days("*/2", "*", "mon#1", 2), (Times{"2024-01-01", "2024-02-05"}));
  EXPECT_EQ(days("31W", "2", "mon#1", 2), (Times{"2024-02-05", "2025-02-03"}));
}

TEST(DayRule, IsFoundHoweverFarAway) {
  EXPECT_EQ(days("*/28", "2", "mon#5", 2), (Times{"2044-02-29", "2072-02-29"}));
  EXPECT_EQ(days("*/28", "2", "mon#5", 1, "2072-02-29 12:00"), Times{"2112-02-29"});
}

}  // namespace
}  // namespace metrics_refresh::core::test
