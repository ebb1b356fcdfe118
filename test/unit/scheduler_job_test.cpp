// Jobs that change, pause, go and come back while they are idle, ready or running, and trigger
// requests.

#include <gtest/gtest.h>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

TEST(SchedulerTrigger, StartsAnIdleJobAtOnce) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "")}, JobChanged{job(2, "1 hour")}});
  EXPECT_EQ(day.at("10:03", {TriggerRequested{70, 1}}), Actions{"start 1 due 10:03 run 70"});
  EXPECT_EQ(day.at("10:04", {TriggerRequested{71, 2}}), Actions{"start 2 due 10:04 run 71"});
  EXPECT_EQ(day.wake_up(), "11:00");
}

TEST(SchedulerTrigger, WaitsForTheRunUnderWay) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:06", {TriggerRequested{70, 1}, TriggerRequested{71, 1}}), Actions{});
  EXPECT_EQ(day.at("10:07", {RunEnded{1}}), Actions{"start 1 due 10:07 run 70"});
  EXPECT_EQ(day.at("10:08", {RunEnded{1}}), Actions{"start 1 due 10:08 run 71"});
  EXPECT_EQ(day.at("10:09", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
}

TEST(SchedulerTrigger, OneRunServesARequestThatComesWithADueTime) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  EXPECT_EQ(day.at("10:05", {TriggerRequested{70, 1}}),
            (Actions{"missed 1 due 10:05", "start 1 due 10:05 run 70"}));
}

TEST(SchedulerTrigger, IgnoresARepeatedRequest) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "")}, RunAdopted{1}});
  day.at("10:01", {TriggerRequested{70, 1}, TriggerRequested{70, 1}});
  day.at("10:02", {TriggerRequested{70, 1}});
  EXPECT_EQ(day.at("10:03", {RunEnded{1}}), Actions{"start 1 due 10:03 run 70"});
  EXPECT_EQ(day.at("10:04", {TriggerRequested{70, 1}}), Actions{});
  EXPECT_EQ(day.at("10:05", {StartRefused{1}, TriggerRequested{70, 1}}), Actions{});
  EXPECT_EQ(day.at("10:06"), Actions{"start 1 due 10:03 run 70"});
  EXPECT_EQ(day.at("10:07", {RunEnded{1}}), Actions{});
}

TEST(SchedulerTrigger, IgnoresARequestForAnUnknownJob) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:00", {TriggerRequested{70, 404}}), Actions{});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.at("10:01", {JobChanged{job(404, "")}}), Actions{});
}

TEST(SchedulerTrigger, AWithdrawnRequestDoesNotStart) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "")}});
  EXPECT_EQ(day.at("10:01", {TriggerRequested{70, 1}, TriggerRequested{71, 1},
                             TriggerRequested{72, 1}, TriggerWithdrawn{71}}),
            Actions{"start 1 due 10:01 run 70"});
  EXPECT_EQ(day.at("10:02", {RunEnded{1}}), Actions{"start 1 due 10:02 run 72"});
  EXPECT_EQ(day.at("10:03", {StartRefused{1}, TriggerRequested{73, 1}}), Actions{});
  EXPECT_EQ(day.at("10:03", {TriggerWithdrawn{72}}), Actions{});
  EXPECT_EQ(day.at("10:04"), Actions{"start 1 due 10:03 run 73"});
}

TEST(SchedulerTrigger, WithdrawingARunUnderWayChangesNothing) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "")}, TriggerRequested{70, 1}, TriggerRequested{71, 1}});
  EXPECT_EQ(day.at("10:01", {TriggerWithdrawn{70}}), Actions{});
  EXPECT_EQ(day.at("10:02", {RunEnded{1}}), Actions{"start 1 due 10:02 run 71"});
  EXPECT_EQ(day.at("10:03", {StartRefused{1}}), Actions{});
  EXPECT_EQ(day.at("10:04"), Actions{"start 1 due 10:02 run 71"});
}

TEST(SchedulerTrigger, ARefusedStartThatWasWithdrawnMeanwhileIsNotTriedAgain) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "")}, TriggerRequested{70, 1}});
  EXPECT_EQ(day.at("10:01", {TriggerWithdrawn{70}, StartRefused{1}}), Actions{});
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.at("10:02"), Actions{});
  EXPECT_EQ(day.at("10:03", {TriggerRequested{71, 1}}), Actions{"start 1 due 10:03 run 71"});
}

TEST(SchedulerPause, APausedJobRunsOnlyWhenTriggered) {
  VirtualDay day;
  day.at("10:00", {JobChanged{paused(job(1, "5 minutes"))}});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.at("10:05"), Actions{});
  EXPECT_EQ(day.at("10:06", {TriggerRequested{70, 1}}), Actions{"start 1 due 10:06 run 70"});
  EXPECT_EQ(day.at("10:07", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:08", {JobChanged{job(1, "5 minutes", "10:08")}}), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
}

TEST(SchedulerPause, DropsAScheduledStartThatIsReady) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  day.at("10:05:00.100", {StartRefused{1}});
  EXPECT_EQ(day.at("10:05:00.200", {JobChanged{paused(job(1, "5 minutes"))}}), Actions{});
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.at("10:05:05", {WorkerFreed{}}), Actions{});
}

TEST(SchedulerPause, DropsAScheduledStartThatIsRefusedAfterwards) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:05:01", {JobChanged{paused(job(1, "5 minutes"))}, StartRefused{1}}),
            Actions{});
  EXPECT_EQ(day.at("10:05:03", {WorkerFreed{}}), Actions{});
}

TEST(SchedulerPause, KeepsATriggeredStartThatIsReady) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, TriggerRequested{70, 1}});
  day.at("10:00:01", {StartRefused{1}, JobChanged{paused(job(1, "5 minutes"))}});
  EXPECT_EQ(day.at("10:00:02"), Actions{"start 1 due 10:00 run 70"});
}

TEST(SchedulerPause, DropsTheScheduledStartAndTurnsToTheRequestThatWaits) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  day.at("10:05:00.100", {StartRefused{1}, TriggerRequested{70, 1}});
  EXPECT_EQ(day.at("10:05:05", {JobChanged{paused(job(1, "5 minutes"))}}),
            Actions{"start 1 due 10:05:05 run 70"});
}

TEST(SchedulerChange, AnIdleJobTakesItsNewSchedule) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  EXPECT_EQ(day.at("10:01", {JobChanged{job(1, "2 minutes", "10:01")}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:02");
  day.at("10:01:30", {JobChanged{job(1, "", "10:01")}});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.scheduler.job_count(), 1U);
}

TEST(SchedulerChange, AStaleReadingDoesNotRepeatTheSlotThatRan) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05:00.100");
  day.at("10:05:01", {RunEnded{1}});
  EXPECT_EQ(day.at("10:05:02", {JobChanged{job(1, "5 minutes", "10:00")}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:10");
}

TEST(SchedulerChange, WhileRunningItDoesNotEndTheRun) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:06", {JobChanged{job(1, "1 minute", "10:06")}}), Actions{});
  EXPECT_EQ(day.at("10:07"), Actions{"missed 1 due 10:07"});
  EXPECT_EQ(day.at("10:07:30", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:08"), Actions{"start 1 due 10:08"});
}

TEST(SchedulerChange, WhileReadyItKeepsTheStart) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  day.at("10:05:01", {StartRefused{1}});
  EXPECT_EQ(day.at("10:05:01.500", {JobChanged{job(1, "1 hour", "10:05")}}), Actions{});
  EXPECT_EQ(day.at("10:05:02"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.wake_up(), "11:00");
}

TEST(SchedulerRemoval, AnIdleJobIsGone) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  EXPECT_EQ(day.at("10:01", {JobRemoved{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.scheduler.job_count(), 0U);
  EXPECT_EQ(day.at("10:05", {TriggerRequested{70, 1}}), Actions{});
}

TEST(SchedulerRemoval, AReadyJobDoesNotStart) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, TriggerRequested{70, 1}});
  day.at("10:01", {StartRefused{1}, TriggerRequested{71, 1}, JobRemoved{1}});
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.scheduler.job_count(), 0U);
  EXPECT_EQ(day.at("10:05", {WorkerFreed{}}), Actions{});
}

TEST(SchedulerRemoval, ARunningJobGoesWhenItsRunEnds) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "5 minutes")}});
  day.at("10:05", {TriggerRequested{70, 1}});
  day.at("10:06", {TriggerRequested{71, 1}, JobRemoved{1}, JobRemoved{2}, TriggerRequested{72, 1}});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.at("10:10"), Actions{});
  EXPECT_EQ(day.at("10:11", {RunEnded{1}, StartRefused{2}}), Actions{});
  EXPECT_EQ(day.scheduler.job_count(), 0U);
  EXPECT_EQ(day.at("10:15", {WorkerFreed{}}), Actions{});
}

TEST(SchedulerRemoval, AJobThatComesBackWaitsForItsOldRun) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05", {TriggerRequested{70, 1}});
  day.at("10:06", {JobRemoved{1}});
  EXPECT_EQ(day.at("10:07", {JobChanged{job(1, "1 minute", "10:07")}, TriggerRequested{71, 1}}),
            Actions{});
  EXPECT_EQ(day.at("10:08"), Actions{"missed 1 due 10:08"});
  EXPECT_EQ(day.at("10:08:30", {RunEnded{1}}), Actions{"start 1 due 10:08:30 run 71"});
  EXPECT_EQ(day.scheduler.job_count(), 1U);
}

TEST(SchedulerRemoval, AJobThatComesBackDoesNotInheritARefusedStart) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "")}});
  day.at("10:05", {TriggerRequested{70, 2}});
  day.at("10:06", {JobRemoved{1}, JobRemoved{2}, JobChanged{job(1, "5 minutes", "10:06")},
                   JobChanged{job(2, "")}});
  EXPECT_EQ(day.at("10:06:01", {StartRefused{1}, StartRefused{2}}), Actions{});
  EXPECT_EQ(day.at("10:07", {WorkerFreed{}}), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
}

TEST(SchedulerRemoval, AJobThatComesBackAfterItsRunIsNew) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05", {JobRemoved{1}, JobChanged{job(1, "5 minutes", "10:04")}});
  EXPECT_EQ(day.at("10:05", {JobRemoved{1}, RunEnded{1}, JobChanged{job(1, "1 minute", "10:05")}}),
            Actions{});
  EXPECT_EQ(day.at("10:06"), Actions{"start 1 due 10:06"});
}

}  // namespace
}  // namespace metrics_refresh::core::test
