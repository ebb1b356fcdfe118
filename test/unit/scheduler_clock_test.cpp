// The scheduler under a clock that is stepped, and after a time in which it did not run.

#include <gtest/gtest.h>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

TEST(SchedulerMissed, OnceMeansOneRunForAllThatPassed) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:02:30", {JobChanged{job(1, "5 minutes", "06:00")}}),
            Actions{"start 1 due 06:05"});
  EXPECT_EQ(day.wake_up(), "10:05");
  day.at("10:03", {RunEnded{1}});
  EXPECT_EQ(day.at("10:05"), Actions{"start 1 due 10:05"});
}

TEST(SchedulerMissed, SkipMeansNone) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:02:30", {JobChanged{skipping(job(1, "5 minutes", "06:00"))}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:05");
  EXPECT_EQ(day.at("10:05"), Actions{"start 1 due 10:05"});
}

TEST(SchedulerMissed, ASlotOfTheLastMinuteIsNotMissed) {
  const Instant due = moment("10:05");
  const std::vector<Event> load = {JobChanged{skipping(job(1, "5 minutes", "10:00"))}};
  VirtualDay in_time, late;
  EXPECT_EQ(in_time.tick(due + Scheduler::kMissedAfter, load), Actions{"start 1 due 10:05"});
  EXPECT_EQ(late.tick(due + Scheduler::kMissedAfter + Duration{1}, load), Actions{});
  EXPECT_EQ(late.wake_up(), "10:10");
}

TEST(SchedulerMissed, SkipStillRunsTheSlotOfTheLastMinuteAfterOlderOnes) {
  VirtualDay day, exact;
  EXPECT_EQ(day.at("10:05:40", {JobChanged{skipping(job(1, "5 minutes", "06:00"))}}),
            Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(exact.at("10:06", {JobChanged{skipping(job(1, "5 minutes", "06:00"))}}),
            Actions{"start 1 due 10:05"});
}

TEST(SchedulerMissed, AJobThatNeverRanSinceTheBeginningOfTimeRunsOnce) {
  VirtualDay day;
  Job ancient = job(1, "5 minutes");
  ancient.handled_until = Instant::min();
  Job daily = job(2, "0 2 * * *");
  daily.handled_until = Instant::min();
  EXPECT_EQ(day.at("10:02", {JobChanged{ancient}, JobChanged{daily}}).size(), 2U);
  EXPECT_EQ(day.wake_up(), "10:05");
}

TEST(SchedulerMissed, HistoryInTheFutureIsCutAtLoad) {
  VirtualDay day;
  Job forever = job(2, "5 minutes");
  forever.handled_until = Instant::max();
  day.at("10:02", {JobChanged{job(1, "5 minutes", "2024-06-01 00:00")}, JobChanged{forever}});
  EXPECT_EQ(day.at("10:05"), (Actions{"start 1 due 10:05", "start 2 due 10:05"}));
}

TEST(SchedulerMissed, HistoryASmallStepAheadStandsAtLoad) {
  VirtualDay day;
  day.at("10:04:30", {JobChanged{job(1, "5 minutes", "10:05:30")},
                      JobChanged{job(2, "5 minutes", "10:05:30.000001")}});
  EXPECT_EQ(day.at("10:05"), Actions{"start 2 due 10:05"});
  EXPECT_EQ(day.wake_up(), "10:10");
}

TEST(SchedulerClock, BackByHalfASecondDoesNotRepeatTheSlot) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  EXPECT_EQ(day.at("10:05:00.003"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.at("10:04:59.503", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(day.at("10:05"), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
}

TEST(SchedulerClock, BackByManySmallStepsDoesNotStopAJob) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "1 minute")}});
  EXPECT_EQ(day.at("10:01"), Actions{"start 1 due 10:01"});
  EXPECT_EQ(day.at("10:00:20", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:02");
  EXPECT_EQ(day.at("09:59:50"), Actions{});
  EXPECT_EQ(day.wake_up(), "10:00");
}

TEST(SchedulerClock, BackByTwentyMinutesAJobGoesOnWithinItsInterval) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "0 * * * *")}});
  EXPECT_EQ(day.at("10:25"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.at("10:05:01", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
  EXPECT_EQ(day.at("11:00", {RunEnded{1}}), (Actions{"start 1 due 10:15", "start 2 due 11:00"}));
}

TEST(SchedulerClock, BackByFourHoursAJobGoesOnWithinItsInterval) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "1 second")}});
  day.at("10:05");
  EXPECT_EQ(day.at("06:05:00.500", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "06:05:01");
  EXPECT_EQ(day.at("06:05:01", {RunEnded{2}}), Actions{"start 2 due 06:05:01"});
  EXPECT_EQ(day.at("06:10"), (Actions{"missed 2 due 06:05:02", "start 1 due 06:10"}));
}

TEST(SchedulerClock, AStaleReadingAfterABackwardStepDoesNotStopAJob) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  day.at("06:05", {RunEnded{1}, JobChanged{job(1, "5 minutes", "10:05")}});
  EXPECT_EQ(day.wake_up(), "06:10");
}

TEST(SchedulerClock, ForwardByFourHoursIsOneRunAndThenTheRegularSlots) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{skipping(job(2, "5 minutes"))},
                   JobChanged{job(3, "0 2 * * *")}});
  EXPECT_EQ(day.at("14:02"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.at("14:03", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "14:05");
  EXPECT_EQ(day.at("14:05"), (Actions{"start 1 due 14:05", "start 2 due 14:05"}));
}

TEST(SchedulerClock, ForwardWhileRunningIsOneMissedSlot) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, RunAdopted{1},
                   JobChanged{skipping(job(2, "5 minutes"))}, RunAdopted{2}});
  EXPECT_EQ(day.at("14:02"), (Actions{"missed 1 due 10:05", "missed 2 due 10:05"}));
  EXPECT_EQ(day.wake_up(), "14:05");
}

TEST(SchedulerClock, ForwardAndBackAgainAJobGoesOn) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "1 hour")}});
  EXPECT_EQ(day.at("14:00:10"), Actions{"start 1 due 11:00"});
  EXPECT_EQ(day.at("10:00:20", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "11:00");
}

TEST(SchedulerClock, ARefusedStartIsTriedAgainAfterABackwardStep) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  day.at("10:05:00.100", {StartRefused{1}});
  // It cannot have been due in the future.
  EXPECT_EQ(day.at("06:05:00.100"), Actions{"start 1 due 06:05:00.100000"});
  EXPECT_EQ(day.at("06:05:00.200", {StartRefused{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "06:05:01.200000");
}

TEST(SchedulerClock, AJobRemovedWhileRunningStaysRemovedAfterABackwardStep) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "5 minutes")}});
  day.at("10:05");
  day.at("10:06", {JobRemoved{1}, JobRemoved{2}});
  EXPECT_EQ(day.at("06:06"), Actions{});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.at("06:07", {RunEnded{1}, StartRefused{2}}), Actions{});
  EXPECT_EQ(day.at("06:10"), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{});
}

TEST(SchedulerClock, ADaylightSavingGapIsNoStep) {
  const FakeZone berlin(std::chrono::hours{1}, {{utc("2024-03-31 01:00"), std::chrono::hours{2}}});
  VirtualDay day;
  Job nightly = job(1, "30 2 * * *", "2024-03-30 12:00");
  nightly.timetable->zone = &berlin;
  day.at("2024-03-30 12:00", {JobChanged{nightly}});
  EXPECT_EQ(day.wake_up(), "2024-03-31 01:00");
  EXPECT_EQ(day.at("2024-03-31 01:00"), Actions{"start 1 due 2024-03-31 01:00"});
  EXPECT_EQ(day.wake_up(), "2024-04-01 00:30");
}

}  // namespace
}  // namespace metrics_refresh::core::test
