// Schedules that depend on more than the clock: @after on the end of the previous run, @reboot on
// the start of the server.

#include <gtest/gtest.h>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

Job after_finish(const std::string& schedule, const std::string& last_end,
                 const std::string& handled = "10:00") {
  Job result = job(1, schedule, handled);
  result.timetable->last_end = moment(last_end);
  return result;
}

Job at_start(const std::string& schedule, const std::string& start, const std::string& handled) {
  Job result = job(1, "", handled);
  result.timetable = Timetable{Schedule::parse(schedule, {"", moment(start)}), &kUtc, {}, {}, {}};
  return result;
}

TEST(SchedulerAfter, CountsFromTheEndOfEachRun) {
  VirtualDay day;
  day.at("10:00", {JobChanged{after_finish("@after 5 minutes", "10:00")}});
  EXPECT_EQ(day.wake_up(), "10:05");
  EXPECT_EQ(day.at("10:05"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.at("10:12"), Actions{});  // nothing is missed while it runs
  EXPECT_EQ(day.at("10:13:30", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:18:30");
  EXPECT_EQ(day.at("10:18:30"), Actions{"start 1 due 10:18:30"});
}

TEST(SchedulerAfter, CountsFromTheEndOfARunThatSomebodyAskedFor) {
  VirtualDay day;
  day.at("10:00", {JobChanged{after_finish("@after 5 minutes", "10:00")}});
  day.at("10:03", {TriggerRequested{70, 1}});
  day.at("10:04", {RunEnded{1}});
  EXPECT_EQ(day.wake_up(), "10:09");
  EXPECT_EQ(day.at("10:09"), Actions{"start 1 due 10:09"});
}

TEST(SchedulerAfter, ARequestThatIsWithdrawnChangesNothing) {
  VirtualDay day;
  day.limits.free_workers = 0;
  day.at("10:00", {JobChanged{after_finish("@after 5 minutes", "10:00")}});
  day.at("10:03", {TriggerRequested{70, 1}});
  day.at("10:04", {TriggerWithdrawn{70}});
  EXPECT_EQ(day.wake_up(), "10:05");
}

TEST(SchedulerAfter, ANewSchedulerGoesOnFromTheEndThatItReads) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:00", {JobChanged{after_finish("@after 1 hour", "09:30", "08:40")}}),
            Actions{});
  EXPECT_EQ(day.wake_up(), "10:30");
  VirtualDay late;
  EXPECT_EQ(late.at("10:00", {JobChanged{after_finish("@after 10 minutes", "07:00", "06:50")}}),
            Actions{"start 1 due 07:10"});
}

TEST(SchedulerAfter, WhatIsReadLaterDoesNotTurnTheEndBack) {
  VirtualDay day;
  day.at("10:00", {JobChanged{after_finish("@after 5 minutes", "10:00")}});
  day.at("10:05");
  day.at("10:06", {RunEnded{1}});
  day.at("10:07", {JobChanged{after_finish("@after 5 minutes", "10:00")}});
  EXPECT_EQ(day.wake_up(), "10:11");
  day.at("10:08", {JobChanged{after_finish("@after 5 minutes", "10:07:30")}});  // rescheduled
  EXPECT_EQ(day.wake_up(), "10:12:30");
}

TEST(SchedulerAfter, IsNotDueWhileARunIsAdoptedOrRefused) {
  VirtualDay day;
  day.at("10:00", {JobChanged{after_finish("@after 5 minutes", "10:00")}, RunAdopted{1}});
  EXPECT_EQ(day.wake_up(), "never");
  day.at("10:20", {RunEnded{1}});
  EXPECT_EQ(day.wake_up(), "10:25");
  EXPECT_EQ(day.at("10:25"), Actions{"start 1 due 10:25"});
  EXPECT_EQ(day.at("10:25:00.1", {StartRefused{1}}), Actions{});
  EXPECT_EQ(day.at("10:40"), Actions{"start 1 due 10:25"});
}

TEST(SchedulerAfter, GoesOnWhileTheSchedulerIsSwitchedOff) {
  VirtualDay day;
  day.at("10:00", {JobChanged{after_finish("@after 5 minutes", "10:00")}});
  day.limits.enabled = false;
  EXPECT_EQ(day.at("10:07"), Actions{});
  day.limits.enabled = true;
  EXPECT_EQ(day.at("10:09"), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
}

TEST(SchedulerAfter, OtherSchedulesOfTheJobGoOnWhileItRuns) {
  VirtualDay day;
  day.at("10:00", {JobChanged{after_finish("@after 20 minutes; 30 * * * *", "10:00")}});
  EXPECT_EQ(day.at("10:20"), Actions{"start 1 due 10:20"});
  EXPECT_EQ(day.at("10:30"), Actions{"missed 1 due 10:30"});
  day.at("10:35", {RunEnded{1}});
  EXPECT_EQ(day.wake_up(), "10:55");
}

TEST(SchedulerAfter, AClockSteppedBackDoesNotStopIt) {
  VirtualDay day;
  day.at("10:00", {JobChanged{after_finish("@after 5 minutes", "10:00")}});
  day.at("10:05");
  day.at("10:06", {RunEnded{1}});
  EXPECT_EQ(day.at("08:00"), Actions{});
  EXPECT_EQ(day.wake_up(), "08:05");
}

TEST(SchedulerReboot, IsDueOnceAtTheStartOfTheServer) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:00", {JobChanged{at_start("@reboot", "09:40", "2024-05-01 12:00")}}),
            Actions{"start 1 due 09:40"});
  EXPECT_EQ(day.wake_up(), "never");
  day.at("10:01", {RunEnded{1}});
  EXPECT_EQ(day.wake_up(), "never");
  VirtualDay again;
  EXPECT_EQ(again.at("10:00", {JobChanged{at_start("@reboot", "09:40", "09:40")}}), Actions{});
}

TEST(SchedulerReboot, IsNotMissed) {
  VirtualDay day;
  EXPECT_EQ(
      day.at("10:00", {JobChanged{skipping(at_start("@reboot", "09:40", "2024-05-01 12:00"))}}),
      Actions{"start 1 due 09:40"});
}

TEST(SchedulerReboot, IsNotSkippedWithWhatWasMissedBefore) {
  VirtualDay day;
  EXPECT_EQ(
      day.at("10:00",
             {JobChanged{skipping(at_start("@reboot; 30 * * * *", "09:40", "2024-05-14 12:00"))}}),
      Actions{"start 1 due 09:40"});
  EXPECT_EQ(day.wake_up(), "10:30");
}

TEST(SchedulerReboot, AJobMadeAfterTheStartWaitsForTheNext) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:00", {JobChanged{at_start("@reboot", "09:40", "09:50")}}), Actions{});
  EXPECT_EQ(day.wake_up(), "never");
}

}  // namespace
}  // namespace metrics_refresh::core::test
