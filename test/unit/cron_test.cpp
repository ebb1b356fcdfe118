// What a cron expression accepts and what it means; how it refuses is in cron_refusal_test.cpp.

#include "core/schedule/schedule.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/schedule/schedule_text.hpp"
#include "unit/due_times.hpp"

namespace metrics_refresh::core::test {
namespace {

// Two texts that mean the same have the same next due times.
void expect_equal(const std::string& a, const std::string& b) {
  EXPECT_EQ(due_times(a, "2023-12-30 22:58:30", 40), due_times(b, "2023-12-30 22:58:30", 40))
      << a << " and " << b;
}

TEST(CronParse, ReadsEveryForm) {
  expect_equal("* * * * *", "0-59 0-23 1-31 1-12 0-7");
  expect_equal("*/20 * * * *", "0,20,40 * * * *");
  expect_equal("*/59 * * * *", "0,59 * * * *");
  expect_equal("5-20/5 1 * * *", "5,10,15,20 1 * * *");
  expect_equal("5-5/1 1 * * *", "5 1 * * *");
  expect_equal("1,1,1-2 0 * * *", "1-2 0 * * *");
  expect_equal("*,5 * * * *", "* * * * *");
  expect_equal("007 00 * * *", "7 0 * * *");
  expect_equal("0 0 */10 * *", "0 0 1,11,21,31 * *");
  expect_equal("0 0 1 */3 *", "0 0 1 1,4,7,10 *");
}

TEST(CronParse, ReadsNames) {
  expect_equal("0 0 1 jan,Mar,dec *", "0 0 1 1,3,12 *");
  expect_equal("0 0 1 FEB-apr *", "0 0 1 2-4 *");
  expect_equal("0 0 1 feb-nov/3 *", "0 0 1 2,5,8,11 *");
  expect_equal("0 0 * * mon-fri", "0 0 * * 1-5");
  expect_equal("0 0 * * sun,SAT", "0 0 * * 0,6");
  expect_equal("0 0 * * mon-5", "0 0 * * 1-5");
}

TEST(CronParse, KnowsTwoNumbersForSunday) {
  expect_equal("0 0 * * 7", "0 0 * * 0");
  expect_equal("0 0 * * 5-7", "0 0 * * fri,sat,sun");
  expect_equal("0 0 * * fri-sun", "0 0 * * 5-7");
  expect_equal("0 0 * * 0-7", "0 0 * * *");
  expect_equal("0 0 * * sun-sun", "0 0 * * 0");
  expect_equal("0 0 * * */2", "0 0 * * 0,2,4,6");
}

TEST(CronParse, GoesOnFromTheLowestValue) {
  expect_equal("55-5 1 * * *", "55-59,0-5 1 * * *");
  expect_equal("0 22-2 * * *", "0 22,23,0,1,2 * * *");
  expect_equal("0 22-4/3 * * *", "0 22,1,4 * * *");
  expect_equal("0 0 28-3 * *", "0 0 28-31,1-3 * *");
  expect_equal("0 0 1 nov-feb *", "0 0 1 11,12,1,2 *");
  expect_equal("0 0 1 oct-mar/2 *", "0 0 1 10,12,2 *");
  expect_equal("0 0 * * sat-mon", "0 0 * * 6,0,1");
  expect_equal("0 0 * * fri-tue/2", "0 0 * * fri,sun,tue");
  expect_equal("0 0 * * 6-0", "0 0 * * sat,sun");
  expect_equal("0 0 * * 7-2", "0 0 * * sun,mon,tue");
  expect_equal("50-10/10 1 * * *", "50,0,10 1 * * *");
}

TEST(CronParse, StepsFromASingleValueToTheEnd) {
  expect_equal("5/10 * * * *", "5-59/10 * * * *");
  expect_equal("0 20/2 * * *", "0 20,22 * * *");
  expect_equal("0 0 25/3 * *", "0 0 25,28,31 * *");
  expect_equal("0 0 1 feb/4 *", "0 0 1 2,6,10 *");
  expect_equal("0 0 * * mon/2", "0 0 * * 1,3,5");
  expect_equal("0 0 * * 7/3", "0 0 * * 0,3,6");
}

TEST(CronParse, TakesAQuestionMarkForADayFieldThatDoesNotMatter) {
  expect_equal("0 0 ? * fri", "0 0 * * fri");
  expect_equal("0 0 13 * ?", "0 0 13 * *");
  expect_equal("0 0 ? * *", "0 0 * * *");
}

TEST(CronParse, ReadsSecondsAfterTheirName) {
  expect_equal("@seconds 0 30 2 * * *", "30 2 * * *");
  EXPECT_EQ(due_times("@SECONDS */20 59 23 31 12 *", "2024-12-31 23:59:20", 3),
            (Times{"2024-12-31 23:59:40", "2025-12-31 23:59", "2025-12-31 23:59:20"}));
  EXPECT_EQ(due_times("@seconds 50-10/10 0 * * * *", "2024-01-01 00:00:10", 3),
            (Times{"2024-01-01 00:00:50", "2024-01-01 01:00", "2024-01-01 01:00:10"}));
  EXPECT_EQ(due_times("@seconds 15 * * * * *", "2024-01-01 00:00:14.9", 2),
            (Times{"2024-01-01 00:00:15", "2024-01-01 00:01:15"}));
}

TEST(CronParse, IgnoresSpaceAround) {
  expect_equal("  0\t0  *\n*   * \r\n", "0 0 * * *");
  expect_equal("0 0 * * *" + std::string(kMaxScheduleLength - 9, ' '), "0 0 * * *");
}

TEST(CronDays, MatchByEitherFieldIfBothAreRestricted) {
  EXPECT_EQ(
      due_times("0 0 13 * fri", "2024-09-01 00:00", 4),
      (Times{"2024-09-06 00:00", "2024-09-13 00:00", "2024-09-20 00:00", "2024-09-27 00:00"}));
  EXPECT_EQ(due_times("0 0 3 * 0-6", "2024-09-01 00:00", 1), (Times{"2024-09-02 00:00"}));
}

TEST(CronDays, MatchByBothFieldsIfOneBeginsWithAStar) {
  EXPECT_EQ(due_times("0 0 */2 * fri", "2024-09-01 00:00", 3),
            (Times{"2024-09-13 00:00", "2024-09-27 00:00", "2024-10-11 00:00"}));
  EXPECT_EQ(due_times("0 0 13 * *", "2024-09-01 00:00", 2),
            (Times{"2024-09-13 00:00", "2024-10-13 00:00"}));
  EXPECT_EQ(due_times("0 0 29 2 */6", "1890-01-01 00:00", 3),
            (Times{"1896-02-29 00:00", "1908-02-29 00:00", "1920-02-29 00:00"}));
}

TEST(CronCalendar, CrossesMonthsYearsAndCenturies) {
  EXPECT_EQ(due_times("59 23 31 12 *", "1999-12-31 23:58:59.999999", 2),
            (Times{"1999-12-31 23:59", "2000-12-31 23:59"}));
  EXPECT_EQ(due_times("0 0 29 2 *", "2096-02-29 00:00", 2),
            (Times{"2104-02-29 00:00", "2108-02-29 00:00"}));
  EXPECT_EQ(due_times("30 12 31 * *", "2024-01-31 12:30", 3),
            (Times{"2024-03-31 12:30", "2024-05-31 12:30", "2024-07-31 12:30"}));
  EXPECT_EQ(due_times("* * * * *", "1969-12-31 23:59:30.000001", 2),
            (Times{"1970-01-01 00:00", "1970-01-01 00:01"}));
}

}  // namespace
}  // namespace metrics_refresh::core::test
