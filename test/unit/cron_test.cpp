// What a cron expression accepts, what it means, and how it refuses.

#include "core/cron.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/schedule_error.hpp"
#include "core/schedule_text.hpp"
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

TEST(CronParse, IgnoresSpaceAround) {
  expect_equal("  0\t0  *\n*   * \r\n", "0 0 * * *");
  expect_equal("0 0 * * *" + std::string(kMaxScheduleLength - 9, ' '), "0 0 * * *");
}

struct Refusal {
  std::string text;
  std::string message;
  std::size_t position;
  std::string hint;  // a part of it
};

void expect_refusal(const Refusal& refusal) {
  try {
    CronExpression::parse(refusal.text);
    ADD_FAILURE() << "accepted " << refusal.text;
  } catch (const ScheduleError& error) {
    EXPECT_EQ(error.what(), refusal.message) << refusal.text;
    EXPECT_EQ(error.position(), refusal.position) << refusal.text;
    EXPECT_NE(error.hint().find(refusal.hint), std::string::npos)
        << refusal.text << ": " << error.hint();
    EXPECT_EQ(error.hint().back(), '.') << error.hint();
  }
}

TEST(CronRefuses, WrongNumberOfFields) {
  expect_refusal({"", "schedule is empty", 1, "Write five fields"});
  expect_refusal({" \t\n", "schedule is empty", 1, "Write five fields"});
  expect_refusal({"5", "the hour field is missing", 2, "Write five fields"});
  expect_refusal({"0 0 * *", "the day-of-week field is missing", 8, "Write five fields"});
  expect_refusal({" 0  0 *  ", "the month field is missing", 8, "Write five fields"});
  expect_refusal({"0 0 0 1 * *", "day-of-month 0 is out of range", 5, "takes 1 to 31"});
  expect_refusal(
      {"0 0 1 1 * *", "unexpected \"*\" after the day-of-week field", 11, "none for seconds"});
  expect_refusal({"0 0 * * *  root command", "unexpected \"root\" after the day-of-week field", 12,
                  "five fields"});
}

TEST(CronRefuses, NumbersOutOfRange) {
  expect_refusal({"60 * * * *", "minute 60 is out of range", 1, "The minute field takes 0 to 59,"});
  expect_refusal({"0 24 * * *", "hour 24 is out of range", 3, "The hour field takes 0 to 23,"});
  expect_refusal({"0 0 0 * *", "day-of-month 0 is out of range", 5, "takes 1 to 31,"});
  expect_refusal({"0 0 32 * *", "day-of-month 32 is out of range", 5, "takes 1 to 31,"});
  expect_refusal({"0 0 * 0 *", "month 0 is out of range", 7, "takes 1 to 12 or jan to dec,"});
  expect_refusal({"0 0 * 13 *", "month 13 is out of range", 7, "takes 1 to 12 or jan to dec,"});
  expect_refusal({"0 0 * * 8", "day-of-week 8 is out of range", 9,
                  "takes 0 to 7 or sun to sat (0 and 7 are Sunday),"});
  expect_refusal({"1,5-60 * * * *", "minute 60 is out of range", 5, "takes 0 to 59"});
  expect_refusal({"18446744073709551617 * * * *", "minute 18446744073709551617 is out of range", 1,
                  "takes 0 to 59"});
  expect_refusal({std::string(40, '9') + " * * * *",
                  "minute " + std::string(24, '9') + "... is out of range", 1, "takes 0 to 59"});
}

TEST(CronRefuses, UnknownNames) {
  expect_refusal({"0 0 * foo *", "unknown name \"foo\" in the month field", 7, "jan to dec"});
  expect_refusal({"0 0 * january *", "unknown name \"january\" in the month field", 7, "jan to"});
  expect_refusal({"0 0 * mon *", "unknown name \"mon\" in the month field", 7, "jan to dec"});
  expect_refusal({"0 0 * * mon,dey", "unknown name \"dey\" in the day-of-week field", 13, "sat"});
  expect_refusal({"every 5 * * *", "unexpected \"every\" in the minute field", 1, "0 to 59"});
}

TEST(CronRefuses, ReversedRanges) {
  expect_refusal({"5-2 * * * *", "range 5-2 in the minute field is reversed", 1,
                  "write it as a list: 5-59,0-2."});
  expect_refusal({"0 22-2 * * *", "range 22-2 in the hour field is reversed", 3, "22-23,0-2."});
  expect_refusal(
      {"0 0 1 nov-feb *", "range nov-feb in the month field is reversed", 7, "11-12,1-2."});
  expect_refusal({"0 0 * * 6-0", "range 6-0 in the day-of-week field is reversed", 9, "6-6,0-0."});
  expect_refusal(
      {"0 0 * * sat-mon", "range sat-mon in the day-of-week field is reversed", 9, "6-6,0-1."});
}

TEST(CronRefuses, Steps) {
  expect_refusal({"*/0 * * * *", "step 0 in the minute field is out of range", 3,
                  "A step over 0-59 is from 1 to 59."});
  expect_refusal({"*/60 * * * *", "step 60 in the minute field is out of range", 3, "1 to 59."});
  expect_refusal({"0 */24 * * *", "step 24 in the hour field is out of range", 5, "1 to 23."});
  expect_refusal({"0 0 * * */7", "step 7 in the day-of-week field is out of range", 11, "1 to 6."});
  expect_refusal({"10-20/11 * * * *", "step 11 in the minute field is out of range", 7,
                  "A step over 10-20 is from 1 to 10."});
  expect_refusal({"5-5/2 * * * *", "step 2 in the minute field is out of range", 5, "1 to 1."});
  expect_refusal({"5/10 * * * *", "step after the single value 5 in the minute field", 2,
                  "Write 5-59/10 for a step from there on, or */10"});
  expect_refusal(
      {"0 0 * * mon/2", "step after the single value mon in the day-of-week field", 12, "1-6/2"});
  expect_refusal({"*/ * * * *", "missing number in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"*/x * * * *", "unexpected \"x\" in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"*/5/5 * * * *", "unexpected \"/\" in the minute field", 4, "takes 0 to 59"});
  expect_refusal({"0 0 1 * */jan", "unexpected \"jan\" in the day-of-week field", 11, "takes"});
}

TEST(CronRefuses, BrokenLists) {
  expect_refusal({", * * * *", "empty list item in the minute field", 1, "takes 0 to 59"});
  expect_refusal({"1,,2 * * * *", "empty list item in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"0 1, * * *", "empty list item in the hour field", 5, "takes 0 to 23"});
  expect_refusal({"5- * * * *", "missing number in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"5-,6 * * * *", "missing number in the minute field", 3, "takes 0 to 59"});
}

TEST(CronRefuses, OtherDialects) {
  expect_refusal({"0 0 ? * *", "unexpected \"?\" in the day-of-month field", 5, "1 to 31"});
  expect_refusal({"0 0 L * *", "unexpected \"L\" in the day-of-month field", 5, "1 to 31"});
  expect_refusal({"0 0 15W * *", "unexpected \"W\" in the day-of-month field", 7, "1 to 31"});
  expect_refusal({"0 0 * * 5#2", "unexpected \"#\" in the day-of-week field", 10, "0 to 7"});
  expect_refusal({"0 0 * * 5L", "unexpected \"L\" in the day-of-week field", 10, "0 to 7"});
  expect_refusal({"H * * * *", "unexpected \"H\" in the minute field", 1, "0 to 59"});
  expect_refusal({"~ * * * *", "unexpected \"~\" in the minute field", 1, "0 to 59"});
  expect_refusal({"** * * * *", "unexpected \"*\" in the minute field", 2, "0 to 59"});
  expect_refusal({"*-5 * * * *", "unexpected \"-\" in the minute field", 2, "0 to 59"});
  expect_refusal({"-5 * * * *", "unexpected \"-\" in the minute field", 1, "0 to 59"});
  expect_refusal({"1.5 * * * *", "unexpected \".\" in the minute field", 2, "0 to 59"});
  expect_refusal({"1-2-3 * * * *", "unexpected \"-\" in the minute field", 4, "0 to 59"});
}

TEST(CronRefuses, BytesAndLengths) {
  expect_refusal({"0 0 * * m\xC3\xB6n", "schedule contains the byte 0xC3", 10, "ASCII"});
  expect_refusal({std::string("0 0 * * *\0", 10), "schedule contains the byte 0x00", 10, "ASCII"});
  expect_refusal({"0 0 * * *\x7F", "schedule contains the byte 0x7F", 10, "ASCII"});
  expect_refusal({std::string(kMaxScheduleLength + 1, '1'), "schedule is 1001 characters long",
                  1001, "at most 1000 characters"});
}

TEST(CronRefuses, DatesThatNoYearHas) {
  const std::string message = "the day-of-month field names no day that the months given have";
  expect_refusal({"0 0 31 2 *", message, 5, "February has 29"});
  expect_refusal({"0 0 30 2 *", message, 5, "February has 29"});
  expect_refusal({"0 0 31 4,6 *", message, 5, "have 30 days"});
  expect_refusal({"0 0 30,31 feb */2", message, 5, "February has 29"});
  EXPECT_EQ(due_times("0 0 29 2 *", "2023-01-01 00:00", 2),
            (Times{"2024-02-29 00:00", "2028-02-29 00:00"}));
  EXPECT_EQ(due_times("0 0 31 4-5 *", "2023-01-01 00:00", 1), (Times{"2023-05-31 00:00"}));
  EXPECT_EQ(due_times("0 0 31 2 1", "2023-01-01 00:00", 2),
            (Times{"2023-02-06 00:00", "2023-02-13 00:00"}));
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
