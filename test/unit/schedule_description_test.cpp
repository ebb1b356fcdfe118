// Schedules in plain English.

#include "core/schedule/schedule_description.hpp"

#include <gtest/gtest.h>

namespace metrics_refresh::core::test {
namespace {

std::string described(const std::string& text, const std::string& job_name = "") {
  return describe(Schedule::parse(text, {job_name, std::nullopt}));
}

TEST(Description, OfTimes) {
  EXPECT_EQ(described("30 2 * * *"), "at 02:30");
  EXPECT_EQ(described("0,30 9,17 * * *"), "at 09:00, 09:30, 17:00 and 17:30");
  EXPECT_EQ(described("* * * * *"), "every minute");
  EXPECT_EQ(described("*/5 * * * *"), "every 5 minutes");
  EXPECT_EQ(described("*/5 9-17 * * *"), "every 5 minutes in the hours 9 to 17");
  EXPECT_EQ(described("5/10 * * * *"), "at minutes 5, 15, 25, 35, 45 and 55 of every hour");
  EXPECT_EQ(described("17 * * * *"), "at minute 17 of every hour");
  EXPECT_EQ(described("0 */2 * * *"), "at minute 0 of every 2 hours from midnight");
  EXPECT_EQ(described("15 8-20 * * *"), "at minute 15 in the hours 8 to 20");
  EXPECT_EQ(described("*/7 * * * *"),
            "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour");
}

TEST(Description, SaysWhetherTimesFollowTheClock) {
  const std::string twice = " (twice if an hour repeats, not if one is skipped)";
  const std::string once = " (once if an hour repeats, right after one that is skipped)";
  EXPECT_EQ(described("0 */12 * * *"), "at minute 0 of every 12 hours from midnight");
  EXPECT_EQ(described("0 0,12 * * *"), "at 00:00 and 12:00");
  EXPECT_EQ(described("*/30 1-2 * * *"), "every 30 minutes in the hours 1 and 2");
  EXPECT_EQ(described("0,30 1-2 * * *"), "at 01:00, 01:30, 02:00 and 02:30");
  EXPECT_EQ(described("10-20/10 1-2 * * *"), "at 01:10, 01:20, 02:10 and 02:20" + twice);
  EXPECT_EQ(described("0 8-20/2 * * *"),
            "at minute 0 in the hours 8, 10, 12, 14, 16, 18 and 20" + twice);
  EXPECT_EQ(described("0-59 2 * * *"), "every minute in the hour 2" + once);
  EXPECT_EQ(described("0 0-23 * * *"), "at minute 0 of every hour" + once);
}

TEST(Description, OfSeconds) {
  EXPECT_EQ(described("@seconds 15 30 2 * * *"), "at 02:30:15");
  EXPECT_EQ(described("@seconds * * * * * *"), "every second");
  EXPECT_EQ(described("@seconds */10 * * * * *"), "every 10 seconds");
  EXPECT_EQ(described("@seconds 5 * * * * *"), "at second 5 of every minute");
  EXPECT_EQ(described("@seconds */10 * 9 * * *"), "every 10 seconds in the hour 9");
  EXPECT_EQ(described("@seconds 0,20 */30 * * * *"),
            "at seconds 0 and 20 of minutes 0 and 30 of every hour");
}

TEST(Description, OfDays) {
  EXPECT_EQ(described("30 2 * mar,nov friL"),
            "at 02:30 on the last Friday of the month, in March and November");
  EXPECT_EQ(described("0 0 1,15 * *"), "at 00:00 on the 1st and the 15th of the month");
  EXPECT_EQ(described("0 0 1-3,22,L * *"),
            "at 00:00 on the 1st to 3rd, the 22nd and the last day of the month");
  EXPECT_EQ(described("0 0 L-1,L-5,LW * *"),
            "at 00:00 on the day before the last, the day 5 days before the last and the last day "
            "from Monday to Friday of the month");
  EXPECT_EQ(described("0 0 15W * ?"),
            "at 00:00 on the day from Monday to Friday nearest to the 15th of the month");
  EXPECT_EQ(described("0 9 * * mon-fri"), "at 09:00 on Monday to Friday");
  EXPECT_EQ(described("0 9 * * fri-sun"), "at 09:00 on Friday to Sunday");
  EXPECT_EQ(described("0 9 * * sat,sun"), "at 09:00 on Saturday and Sunday");
  EXPECT_EQ(described("0 9 * * wed,mon#1,fri#3"),
            "at 09:00 on Wednesday, the first Monday and the third Friday of the month");
  EXPECT_EQ(described("0 9 * 6-8 *"), "at 09:00 in June to August");
  EXPECT_EQ(described("@yearly"), "at 00:00 on the 1st of the month, in January");
}

TEST(Description, TellsSeveralDaysFromOne) {
  EXPECT_EQ(described("0 0 LW * *"), "at 00:00 on the last day from Monday to Friday of the month");
  EXPECT_EQ(described("0 0 * * monL,tueL,wedL"),
            "at 00:00 on the last Monday, the last Tuesday and the last Wednesday of the month");
  EXPECT_EQ(described("0 0 * * mon#1,tue#1,wed#1"),
            "at 00:00 on the first Monday, the first Tuesday and the first Wednesday of the month");
  EXPECT_EQ(described("0 0 1W,2W,3W * *"),
            "at 00:00 on the day from Monday to Friday nearest to the 1st, the day from Monday to "
            "Friday nearest to the 2nd and the day from Monday to Friday nearest to the 3rd of the "
            "month");
}

TEST(Description, OfStepsOverDays) {
  EXPECT_EQ(described("0 0 */2 * *"), "at 00:00 on every 2nd day from the 1st of the month");
}

TEST(Description, SaysWhetherOneDayFieldIsEnough) {
  EXPECT_EQ(
      described("0 0 13 * fri"),
      "at 00:00 on the 13th of the month, and also on Friday (a day needs to match only one of "
      "the two)");
  EXPECT_EQ(described("0 0 */15 * fri"),
            "at 00:00 on the 1st, the 16th and the 31st of the month, but only if that is Friday");
}

TEST(Description, SaysWhatSpreadingCameTo) {
  EXPECT_EQ(described("H(17-17) H(3-3) * * *"),
            "at 03:17; with H the field is minute 17, hour 3 for this job");
  EXPECT_EQ(described("H(5-5) * * * *"),
            "at minute 5 of every hour; with H the field is minute 5 for this job");
}

TEST(Description, OfIntervals) {
  EXPECT_EQ(described("@every 5400s"),
            "every 1 hour 30 minutes, counted from 1970-01-01 00:00 UTC");
  EXPECT_EQ(described("3723 seconds"),
            "every 1 hour 2 minutes 3 seconds, counted from 1970-01-01 00:00 UTC");
  EXPECT_EQ(described("1 second"), "every 1 second, counted from 1970-01-01 00:00 UTC");
  EXPECT_EQ(described("1 day"), "every day at 00:00");
  EXPECT_EQ(described("2 days"), "every 2 days at 00:00, counted from 1970-01-01");
  EXPECT_EQ(described("2 weeks"), "every 2 weeks on Monday at 00:00, counted from 1969-12-29");
  EXPECT_EQ(described("3 months"), "every 3 months on the 1st at 00:00, counted from January 1970");
  EXPECT_EQ(described("@after 10 minutes"), "10 minutes after the end of the previous run");
  EXPECT_EQ(described("@reboot; 30 2 * * *"), "once at each start of the server; and at 02:30");
}

}  // namespace
}  // namespace metrics_refresh::core::test
