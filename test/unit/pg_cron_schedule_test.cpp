// Schedules as pg_cron reads them, and what becomes of them here.

#include "core/import/pg_cron_schedule.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/schedule/schedule.hpp"

namespace metrics_refresh::core::test {
namespace {

constexpr PgCronVersion kOld = PgCronVersion::k1_0;
constexpr PgCronVersion kNew = PgCronVersion::k1_6;

std::string reads(const std::string& text, PgCronVersion version = kNew) {
  return as_pg_cron_reads(text, version).value_or("refused");
}

std::string moved(const std::string& text, PgCronVersion version = kNew) {
  const FromPgCron result = from_pg_cron(text, version);
  return result.schedule + (result.note.empty() ? "" : " | " + result.note);
}

TEST(PgCronReads, WhatItExpects) {
  for (const char* const text :
       {"* * * * *", "*/5 * * * *", "0,30 9-17 1-15/2 jan-MAR,5 Mon-fri", "0 0 $ * *", "@daily",
        "@reboot", "7 7 7 7 7", "0 0 * * 0-7", "5,* 1,* * * *"})
    EXPECT_EQ(reads(text), text);
  EXPECT_EQ(reads("10 seconds"), "10 seconds");
  EXPECT_EQ(reads("  1 SECOND"), "1 seconds");
}

TEST(PgCronReads, PassingOverTheRest) {
  EXPECT_EQ(reads("0 3 * * * root /bin/true"), "0 3 * * *");
  EXPECT_EQ(reads("*/10 * * * * *"), "*/10 * * * *");
  EXPECT_EQ(reads("*5 1-5;x * * mon-fri!"), "* 1-5 * * mon-fri");
  EXPECT_EQ(reads("0 0 * * 5#3"), "0 0 * * 5");
  EXPECT_EQ(reads("0\t0  * * 5L"), "refused");
  EXPECT_EQ(reads("1-2-3 *-5 * * *"), "1-2 * * * *");
  EXPECT_EQ(reads("@daily at night"), "@daily");
  EXPECT_EQ(reads("# every day\n\n  0 1 * * *"), "0 1 * * *");
}

TEST(PgCronReads, OrRefuses) {
  for (const char* const text : {"",
                                 "* * * *",
                                 "60 * * * *",
                                 "* 24 * * *",
                                 "* * 0 * *",
                                 "* * 32 * *",
                                 "* * * 13 *",
                                 "* * * * 8",
                                 "*/0 * * * *",
                                 "*/90 * * * *",
                                 "5/10 * * * *",
                                 "1- * * * *",
                                 "1,,2 * * * *",
                                 "1, * * * *",
                                 "*/x * * * *",
                                 "* * * janu *",
                                 "* * * * monday",
                                 "mon * * * *",
                                 "@Daily",
                                 "@every 5 minutes",
                                 "0 seconds",
                                 "60 seconds",
                                 "5 minutes",
                                 "5 seconds later",
                                 "-1 * * * *",
                                 "$ * * * *",
                                 "* * $x * *",
                                 "* * L * *",
                                 "99999999999999999999 * * * *"})
    EXPECT_EQ(reads(text), "refused") << text;
  EXPECT_EQ(reads("* * * * " + std::string(1000, '1')), "refused");
  EXPECT_EQ(reads("* * $ * *", kOld), "refused");
  EXPECT_EQ(reads("10 seconds", kOld), "refused");
  EXPECT_EQ(reads("*/90 * * * *", kOld), "*/90 * * * *");
}

TEST(FromPgCron, KeepsWhatMeansTheSame) {
  for (const char* const text :
       {"* * * * *", "*/5 * * * *", "0 9-17 * * mon-fri", "0 0 1,15 * fri", "0 0 */2 * fri",
        "0 0 $ * *", "0 0 * * 7", "0 0 * * 5-7", "@daily", " 0  0 * * *\n", "@hourly", "@weekly"})
    EXPECT_EQ(moved(text), text);
  EXPECT_EQ(moved("@yearly", kOld), "@yearly");
}

TEST(FromPgCron, GoesByWhatPgCronDid) {
  EXPECT_EQ(moved("0 3 * * * root"), "0 3 * * * | pg_cron reads the schedule as \"0 3 * * *\"");
  EXPECT_EQ(moved("0 0 * * 5#3"),
            "0 0 * * 5 | pg_cron reads the schedule as \"0 0 * * 5\"; here the text would mean: at "
            "00:00 on the third Friday of the month");
  EXPECT_EQ(moved("0 0 * * mon,fri-sun"),
            "0 0 * * 1 | pg_cron reads the schedule as \"0 0 * * 1\"; here the text would mean: at "
            "00:00 on Monday and Friday to Sunday");
  // Bits are set by bytes.
  EXPECT_EQ(moved("50-10 * * * *").substr(0, 18), "8-10,50-55 * * * *");
  EXPECT_EQ(moved("50-10,3 * * * *", kOld).substr(0, 9), "3 * * * *");
  EXPECT_EQ(moved("*/90 * * * *", kOld).substr(0, 9), "0 * * * *");
  EXPECT_EQ(moved("@restart"), "@reboot | pg_cron runs it also when its own launcher starts anew");
  EXPECT_EQ(moved("30 seconds", PgCronVersion::k1_5),
            "30 seconds | due at whole multiples of the interval, where pg_cron counts from the "
            "previous start; no run begins in the two seconds after the import");
  EXPECT_EQ(moved("@daily @hourly"), "@daily | pg_cron reads the schedule as \"@daily\"");
}

TEST(FromPgCron, SaysWhyThereIsNothing) {
  EXPECT_EQ(moved("0 0 * * fri-sun"),
            " | pg_cron never runs it, for no time matches; here the text would mean: at 00:00 on "
            "Friday to Sunday");
  EXPECT_EQ(moved("0 0 31 2 *"), " | pg_cron never runs it, for no time matches");
  EXPECT_EQ(moved("@yearly"),
            " | pg_cron 1.6 never runs @yearly; here the text would mean: at 00:00 on the 1st of "
            "the month, in January");
  EXPECT_EQ(moved("30 seconds", kOld),
            " | pg_cron refuses the schedule; here the text would mean: every 30 seconds, "
            "counted from 1970-01-01 00:00 UTC");
  EXPECT_EQ(moved("nonsense"), " | pg_cron refuses the schedule");
}

TEST(PgCronVersion, OfWhatPgExtensionSays) {
  EXPECT_EQ(pg_cron_version("1.3"), PgCronVersion::k1_0);
  EXPECT_EQ(pg_cron_version("1.4-1"), PgCronVersion::k1_0);
  EXPECT_EQ(pg_cron_version("1.5"), PgCronVersion::k1_5);
  EXPECT_EQ(pg_cron_version("1.6"), PgCronVersion::k1_6);
  EXPECT_EQ(pg_cron_version("1.10"), PgCronVersion::k1_6);
  EXPECT_EQ(pg_cron_version("2"), PgCronVersion::k1_6);
}

// Whatever it is, it is not read past its end, and what comes out is a schedule of this dialect.
TEST(FromPgCron, AnyText) {
  std::mt19937 random(20240229);
  const std::string alphabet = "0123456789*,-/ \t\n$@#LWjanmonseconds";
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    for (auto length = random() % 24; length > 0; --length)
      text += random() % 3 == 0 ? ' ' : alphabet[random() % alphabet.size()];
    if (round % 2 == 0) text += " * * * *";
    for (const PgCronVersion version : {kOld, PgCronVersion::k1_5, kNew}) {
      const FromPgCron result = from_pg_cron(text, version);
      if (!result.schedule.empty()) {
        EXPECT_NO_THROW((void)Schedule::parse(result.schedule)) << text;
      } else {
        EXPECT_FALSE(result.note.empty()) << text;
      }
    }
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
