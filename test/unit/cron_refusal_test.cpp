// How cron fields are refused: what is said, where it points, and what it proposes.

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "core/schedule/schedule.hpp"
#include "core/schedule/schedule_text.hpp"
#include "unit/due_times.hpp"
#include "unit/refusal.hpp"

namespace metrics_refresh::core::test {
namespace {

TEST(CronRefuses, WrongNumberOfFields) {
  expect_refusal({"", "schedule is empty", 1, "Write five fields"});
  expect_refusal({" \t\n", "schedule is empty", 1, "Write five fields"});
  expect_refusal({"5", "the hour field is missing", 2, "Write five fields"});
  expect_refusal({"0 0 * *", "the day-of-week field is missing", 8, "Write five fields"});
  expect_refusal({" 0  0 *  ", "the month field is missing", 8, "Write five fields"});
}

TEST(CronRefuses, SixFieldsWithoutTheirName) {
  const std::string message = "unexpected \"*\" after the day-of-week field";
  expect_refusal(
      {"0 */5 * * * *", message, 13, "For six with the seconds first write @seconds 0 */5"});
  expect_refusal({"0 0 1 1 * *", message, 11, "pg_cron reads the first five fields"});
  expect_refusal({"0 0 12 * * ? *", "unexpected \"?\" after the day-of-week field", 12,
                  "no field for the year. For six fields with the seconds first write @seconds 0 0 "
                  "12 * * ?."});
  expect_refusal({"0 0 12 ? * 2#1", "unexpected \"2#1\" after the day-of-week field", 12,
                  "write @seconds 0 0 12 ? * 2#1. Here Sunday is day 0 or 7 and Saturday 6; in "
                  "Quartz they are 1 and 7."});
  expect_refusal({"0 0 12 ? * fri#1,*/2", "unexpected \"fri#1,*/2\" after the day-of-week field",
                  12, "write @seconds 0 0 12 ? * fri#1,*/2."});
  expect_refusal({"0 0 1 1 * 2025", "unexpected \"2025\" after the day-of-week field", 11,
                  "starts_at and ends_at"});
  expect_refusal({"0 0 * * *  root command", "unexpected \"root\" after the day-of-week field", 12,
                  "the command is no part of a schedule"});
  expect_refusal({"@seconds", "the second field is missing", 9, "six fields, second minute"});
  expect_refusal({"@seconds 0 * * * *", "the day-of-week field is missing", 19, "six fields"});
  expect_refusal({"@seconds 0 * * * * * *", "unexpected \"*\" after the day-of-week field", 22,
                  "there are six fields"});
  expect_refusal(
      {"@seconds 60 * * * * *", "second 60 is out of range", 10, "The second field takes 0 to 59"});
  expect_refusal({"@seconds 0 60 * * * *", "minute 60 is out of range", 12, "The full one is 0."});
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
  expect_refusal(
      {"0 0 * * mond", "unknown name \"mond\" in the day-of-week field", 9, "Write mon."});
  expect_refusal(
      {"0 0 * * tues", "unknown name \"tues\" in the day-of-week field", 9, "Write tue."});
  expect_refusal({"0 0 * agu *", "unknown name \"agu\" in the month field", 7, "The month field"});
  expect_refusal({"0 0 * sepp *", "unknown name \"sepp\" in the month field", 7, "Write sep."});
  expect_refusal({"0 0 * fev *", "unknown name \"fev\" in the month field", 7, "Write feb."});
  expect_refusal({"0 0 * * mo", "unknown name \"mo\" in the day-of-week field", 9, "Write mon."});
  expect_refusal({"0 0 * foo *", "unknown name \"foo\" in the month field", 7, "jan to dec"});
  expect_refusal({"0 0 * january *", "unknown name \"january\" in the month field", 7, "jan to"});
  expect_refusal({"0 0 * mon *", "unknown name \"mon\" in the month field", 7, "jan to dec"});
  expect_refusal({"0 0 * * mon,dey", "unknown name \"dey\" in the day-of-week field", 13, "sat"});
  expect_refusal({"each 5 * * *", "unexpected \"each\" in the minute field", 1, "0 to 59"});
}

TEST(CronRefuses, Steps) {
  expect_refusal({"*/0 * * * *", "step 0 in the minute field is out of range", 3,
                  "A step over 0-59 is from 1 to 59."});
  expect_refusal({"*/60 * * * *", "step 60 in the minute field is out of range", 3, "1 to 59."});
  expect_refusal({"*/90 * * * *", "step 90 in the minute field is out of range", 3,
                  "An interval is written 90 minutes."});
  expect_refusal({"0 0 */40 * *", "step 40 in the day-of-month field is out of range", 7,
                  "nothing but the first value."});
  expect_refusal({"0 */24 * * *", "step 24 in the hour field is out of range", 5, "1 to 23."});
  expect_refusal({"0 0 * * */7", "step 7 in the day-of-week field is out of range", 11, "1 to 6."});
  expect_refusal({"10-20/60 * * * *", "step 60 in the minute field is out of range", 7,
                  "A step over 0-59 is from 1 to 59."});
  expect_refusal({"5/0 * * * *", "step 0 in the minute field is out of range", 3,
                  "A step over 0-59 is from 1 to 59."});
  expect_refusal({"0 22-2/24 * * *", "step 24 in the hour field is out of range", 8,
                  "over 0-23 is from 1 to 23."});
  expect_refusal({"0 0 1-2/31 * *", "step 31 in the day-of-month field is out of range", 9,
                  "over 1-31 is from 1 to 30."});
  expect_refusal({"*/ * * * *", "missing number in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"*/x * * * *", "unexpected \"x\" in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"*/5/5 * * * *", "unexpected \"/\" in the minute field", 4, "takes 0 to 59"});
  expect_refusal({"0 0 1 * */jan", "unexpected \"jan\" in the day-of-week field", 11, "takes"});
}

TEST(CronRefuses, NoStepThatIsLongerThanItsRange) {
  const std::vector<std::array<const char*, 2>> same = {
      {"5-6/2 12-13/2 * * *", "5 12 * * *"},    {"1-10/8 * * * *", "1,9 * * * *"},
      {"10-20/11 * * * *", "10 * * * *"},       {"5-5/2 * * * *", "5 * * * *"},
      {"0 23/2 * * *", "0 23 * * *"},           {"0 22-2/5 * * *", "0 22 * * *"},
      {"50/20,3-4/30 3 * * *", "3,50 3 * * *"}, {"0 0 31/5 * *", "0 0 31 * *"},
      {"0 0 * nov-dec/5 *", "0 0 * nov *"},     {"0 0 * * sat-sun/6", "0 0 * * sat"}};
  for (const auto& [text, other] : same)
    EXPECT_EQ(due_times(text, "2024-01-01 00:00", 5), due_times(other, "2024-01-01 00:00", 5))
        << text;
  EXPECT_TRUE(Schedule::parse("@daily; 5-6/2 * * * *").has_idle_step());
  EXPECT_FALSE(Schedule::parse("5-7/2 3-3/1 * * *").has_idle_step());
}

TEST(CronRefuses, BrokenLists) {
  expect_refusal({", * * * *", "empty list item in the minute field", 1, "takes 0 to 59"});
  expect_refusal({"1,,2 * * * *", "empty list item in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"0 1, * * *", "empty list item in the hour field", 5, "takes 0 to 23"});
  expect_refusal({"5- * * * *", "missing number in the minute field", 3, "takes 0 to 59"});
  expect_refusal({"5-,6 * * * *", "missing number in the minute field", 3, "takes 0 to 59"});
}

TEST(CronRefuses, OtherDialects) {
  expect_refusal({"0 0 * * L", "L alone in the day-of-week field is not clear", 9,
                  "Write sat for Saturdays, satL"});
  expect_refusal({"0 0 * * mon,l", "L alone in the day-of-week field is not clear", 13,
                  "L in the day-of-month"});
  expect_refusal(
      {"L * * * *", "unexpected \"L\" in the minute field", 1, "L in the day-of-month field"});
  expect_refusal({"0 0 5L * *", "unexpected \"L\" in the day-of-month field", 6,
                  "friL in the day-of-week field"});
  expect_refusal({"0 0 WL * *", "unexpected \"WL\" in the day-of-month field", 5, "LW"});
  expect_refusal(
      {"0 0 L-0 * *", "L-0 in the day-of-month field is out of range", 7, "down to L-30"});
  expect_refusal(
      {"0 0 L-31 * *", "L-31 in the day-of-month field is out of range", 7, "down to L-30"});
  expect_refusal({"0 0 L-3W * *", "unexpected \"W\" in the day-of-month field", 8, "LW"});
  expect_refusal({"0 0 1-15W * *", "unexpected \"W\" in the day-of-month field", 9, "15W"});
  expect_refusal({"0 0 0W * *", "day-of-month 0 is out of range", 5, "1 to 31"});
  expect_refusal(
      {"0 0 5#2 * *", "unexpected \"#\" in the day-of-month field", 6, "fri#2 in the day-of-week"});
  expect_refusal({"0 0 * * 15W", "day-of-week 15 is out of range", 9, "0 to 7"});
  expect_refusal(
      {"0 0 * * 5W", "unexpected \"W\" in the day-of-week field", 10, "15W in the day-of-month"});
  expect_refusal(
      {"0 0 * * fri#6", "week 6 in the day-of-week field is out of range", 13, "1 to 5 times"});
  expect_refusal(
      {"0 0 * * fri#0", "week 0 in the day-of-week field is out of range", 13, "1 to 5 times"});
  expect_refusal({"0 0 * * fri#", "missing number in the day-of-week field", 13, "a#k"});
  expect_refusal({"0 0 * * mon-friL", "unexpected \"L\" in the day-of-week field", 16, "friL"});
  expect_refusal(
      {"0 0 * * $", "unexpected \"$\" in the day-of-week field", 9, "L in the day-of-month field"});
  expect_refusal({"0 0 ? * ?", "both day fields are ?", 9, "for every day write *"});
  expect_refusal(
      {"? 0 * * *", "unexpected \"?\" in the minute field", 1, "Only the day fields take ?."});
  expect_refusal({"0 0 ?,5 * *", "unexpected \"?\" in the day-of-month field", 5, "stands alone"});
  expect_refusal({"0 0 ?/2 * *", "unexpected \"?\" in the day-of-month field", 5, "stands alone"});
  expect_refusal({"Hour * * * *", "unexpected \"Hour\" in the minute field", 1, "0 to 59"});
  expect_refusal({"H(5-70) * * * *", "minute 70 is out of range", 5, "0 to 59"});
  expect_refusal(
      {"H(9-5) * * * *", "range 9-5 of H in the minute field is reversed", 3, "the lower value"});
  expect_refusal({"H(5) * * * *", "unexpected \")\" in the minute field", 4, "0 to 59"});
  expect_refusal({"H(5-9 * * * *", "the minute field ends too early", 6, "0 to 59"});
  expect_refusal({"H(0-9)/10 * * * *", "step 10 in the minute field is out of range", 8,
                  "over 0-9 is from 1 to 9."});
  expect_refusal({"H/0 * * * *", "step 0 in the minute field is out of range", 3, "from 1 to 59."});
  expect_refusal({"~ * * * *", "unexpected \"~\" in the minute field", 1, "0 to 59"});
  expect_refusal({"** * * * *", "unexpected \"*\" in the minute field", 2, "0 to 59"});
  expect_refusal({"*-5 * * * *", "unexpected \"-\" in the minute field", 2, "0 to 59"});
  expect_refusal({"-5 * * * *", "unexpected \"-\" in the minute field", 1, "0 to 59"});
  expect_refusal({"1.5 * * * *", "unexpected \".\" in the minute field", 2, "0 to 59"});
  expect_refusal({"1-2-3 * * * *", "unexpected \"-\" in the minute field", 4, "0 to 59"});
}

TEST(CronRefuses, WordsOfOtherSchedulers) {
  expect_refusal({"daily", "there is no @ before \"daily\"", 1, "Write @daily."});
  expect_refusal({"0 0 * * *; Hourly", "there is no @ before \"Hourly\"", 12, "Write @hourly."});
  expect_refusal({"every 5 minutes", "there is no @ before \"every\"", 1, "Write @every."});
  expect_refusal({"every day", "there is no @ before \"every\"", 1, "Write @every."});
  expect_refusal({"CRON_TZ=Asia/Tokyo 0 6 * * *",
                  "unexpected \"CRON_TZ=Asia/Tokyo\" before the schedule", 1,
                  "option of the job, timezone => 'Asia/Tokyo'."});
  expect_refusal({"tz= 0 6 * * *", "unexpected \"tz=\" before the schedule", 1, "timezone => "});
}

TEST(CronRefuses, CharactersOutsideAscii) {
  const std::string full_width_five = "\xEF\xBC\x95";
  expect_refusal({full_width_five + " * * * *",
                  "unexpected \"" + full_width_five + "\" (U+FF15) in the minute field", 1,
                  "Write 5. "});
  expect_refusal(
      {"0 9\xE2\x80\x93"
       "17 * * *",
       "unexpected \"\xE2\x80\x93\" (U+2013) in the hour field", 4, "Write -. "});
  expect_refusal({"0 0 * * *; 0 0 * \xE2\x88\x97 *",
                  "unexpected \"\xE2\x88\x97\" (U+2217) in the month field", 18, "Write *. "});
  expect_refusal({"@seconds 0 0 \xD9\xA3 * * *",
                  "unexpected \"\xD9\xA3\" (U+0663) in the hour field", 14, "Write 3. "});
  expect_refusal({"@seconds \xD9\xA3 0 0 * * *",
                  "unexpected \"\xD9\xA3\" (U+0663) in the second field", 10, "Write 3. "});
  expect_refusal({"0 0 * * m\xC3\xB6n", "unexpected \"\xC3\xB6\" (U+00F6) in the day-of-week field",
                  10, "A schedule is written in ASCII"});
  expect_refusal(
      {"0\xC2\xA0"
       "0 * * *",
       "unexpected character U+00A0 in the schedule", 2, "Write a space. "});
  expect_refusal(
      {"\xEF\xBB\xBF"
       "0 0 * * *",
       "unexpected character U+FEFF in the minute field", 1, "A schedule is written in ASCII"});
  expect_refusal({"5 minut\xF0\x9F\x98\x80s",
                  "unexpected \"\xF0\x9F\x98\x80\" (U+1F600) in the schedule", 8, "ASCII"});
  // Not UTF-8: as it stands.
  expect_refusal({"0 0 * * m\xF6n", "unexpected \"\xF6\" in the day-of-week field", 10, "ASCII"});
  expect_refusal(
      {"0 0 * * \xE2\x80", "unexpected \"\xE2\x80\" in the day-of-week field", 9, "ASCII"});
  expect_refusal({std::string(600, '1') + std::string(600, '\xC3'),
                  "unexpected text outside ASCII in the schedule", 601, "ASCII"});
}

TEST(CronRefuses, ControlCharactersAndLengths) {
  expect_refusal({std::string("0 0 * * *\0", 10),
                  "unexpected character U+0000 in the day-of-week field", 10, "ASCII"});
  expect_refusal(
      {"0 0 * * *\x7F", "unexpected character U+007F in the day-of-week field", 10, "ASCII"});
  expect_refusal({std::string(kMaxScheduleLength + 1, '1'), "schedule is 1001 characters long",
                  1001, "at most 1000 characters"});
}

TEST(CronRefuses, DaysThatNoYearHas) {
  const std::string message = "the day-of-month field names no day that the months given have";
  expect_refusal({"0 0 31W 2 *", message, 5, "February has 29"});
  expect_refusal({"0 0 L-29 2 *", message, 5, "February has 29"});
  expect_refusal({"0 0 30,31W feb ?", message, 5, "February has 29"});
  expect_refusal({"0 0 */15 2 mon#5",
                  "no day matches both the day-of-month and the day-of-week field", 12,
                  "Where one of them begins with *"});
  EXPECT_EQ(due_times("0 0 ? 2 mon#5", "2020-01-01 00:00", 2),
            (Times{"2044-02-29 00:00", "2072-02-29 00:00"}));
  EXPECT_EQ(due_times("0 0 L-28 2 *", "2021-01-01 00:00", 1), (Times{"2024-02-01 00:00"}));
}

TEST(CronRefuses, DatesThatNoYearHas) {
  const std::string message = "the day-of-month field names no day that the months given have";
  expect_refusal({"0 0 31 2 *", message, 5, "February has 29"});
  expect_refusal({"0 0 30 2 *", message, 5, "February has 29 at most."});
  expect_refusal({"0 0 H(30-31) 2 *", message, 5, "A range of H up to 28 is in every month."});
  expect_refusal({"0 0 31 4,6 *", message, 5, "have 30 days"});
  expect_refusal({"0 0 30,31 feb */2", message, 5, "February has 29"});
  EXPECT_EQ(due_times("0 0 29 2 *", "2023-01-01 00:00", 2),
            (Times{"2024-02-29 00:00", "2028-02-29 00:00"}));
  EXPECT_EQ(due_times("0 0 31 4-5 *", "2023-01-01 00:00", 1), (Times{"2023-05-31 00:00"}));
  EXPECT_EQ(due_times("0 0 31 2 1", "2023-01-01 00:00", 2),
            (Times{"2023-02-06 00:00", "2023-02-13 00:00"}));
}

}  // namespace
}  // namespace metrics_refresh::core::test
