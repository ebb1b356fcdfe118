// What runs when: due times, overlap, refused and adopted runs, changes of jobs. The clock behaves;
// where it does not, see scheduler_clock_test.cpp; for requests and pauses, scheduler_job_test.cpp.

#include "core/scheduler/scheduler.hpp"

#include <gtest/gtest.h>

#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

TEST(Scheduler, WithoutJobsHasNothingToDo) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:00"), Actions{});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.scheduler.next_due(), std::nullopt);
  EXPECT_EQ(day.scheduler.job_count(), 0U);
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
}

TEST(Scheduler, StartsAJobWhenItIsDueAndNotBefore) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:00", {JobChanged{job(1, "5 minutes")}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:05");
  EXPECT_EQ(day.at("10:04:59.999999"), Actions{});
  EXPECT_EQ(day.wake_up(), "10:05");
  EXPECT_EQ(day.at("10:05"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(brief(day.scheduler.next_due()), "10:10");
}

TEST(Scheduler, RunsTheNextSlotWhenTheRunHasEnded) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "*/5 * * * *")}});
  EXPECT_EQ(day.at("10:05:00.004"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.at("10:06", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(day.at("10:10:00.007"), Actions{"start 1 due 10:10"});
}

TEST(Scheduler, RunsASlotThatComesWithTheEndOfTheRunBefore) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:10", {RunEnded{1}}), Actions{"start 1 due 10:10"});
}

TEST(Scheduler, StartsSeveralJobsInTheOrderOfTheirDueTimes) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "30 seconds")}, JobChanged{job(2, "10 seconds")},
                   JobChanged{job(3, "20 seconds")}});
  EXPECT_EQ(day.wake_up(), "10:00:10");
  EXPECT_EQ(day.scheduler.job_count(), 3U);
  EXPECT_EQ(day.at("10:00:31"),
            (Actions{"start 2 due 10:00:10", "start 3 due 10:00:20", "start 1 due 10:00:30"}));
}

TEST(Scheduler, CountsASlotAsMissedWhileTheJobRuns) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:10"), Actions{"missed 1 due 10:10"});
  EXPECT_EQ(day.at("10:15"), Actions{"missed 1 due 10:15"});
  EXPECT_EQ(day.at("10:16", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:20"), Actions{"start 1 due 10:20"});
}

TEST(Scheduler, CountsASlotAsMissedWhileTheJobWaitsForAWorker) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "1 second")}});
  EXPECT_EQ(day.at("10:00:01"), Actions{"start 1 due 10:00:01"});
  EXPECT_EQ(day.at("10:00:01.500", {StartRefused{1}}), Actions{});
  EXPECT_EQ(day.at("10:00:02"), Actions{"missed 1 due 10:00:02"});
  EXPECT_EQ(day.at("10:00:02.500"), Actions{"start 1 due 10:00:01"});
}

TEST(Scheduler, AJobWithoutScheduleIsNeverDue) {
  VirtualDay day;
  EXPECT_EQ(day.at("10:00", {JobChanged{job(1, "")}}), Actions{});
  EXPECT_EQ(day.wake_up(), "never");
  EXPECT_EQ(day.at("2034-05-15 10:00"), Actions{});
  EXPECT_EQ(day.scheduler.job_count(), 1U);
}

TEST(Scheduler, TriesARefusedStartAgainAfterTheDelay) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:05:00.250", {StartRefused{1}}), Actions{});
  EXPECT_GT(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.wake_up(), brief(moment("10:05:00.250") + Scheduler::kRefusedDelay));
  EXPECT_EQ(day.at("10:05:01.249999"), Actions{});
  EXPECT_EQ(day.at("10:05:01.250"), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.wake_up(), "10:10");
}

TEST(Scheduler, TriesARefusedStartAgainAsSoonAsAWorkerIsFree) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "5 minutes")}});
  EXPECT_EQ(day.at("10:05"), (Actions{"start 1 due 10:05", "start 2 due 10:05"}));
  EXPECT_EQ(day.at("10:05:00.100", {StartRefused{2}}), Actions{});
  EXPECT_EQ(day.at("10:05:00.200", {RunEnded{1}}), Actions{"start 2 due 10:05"});
  EXPECT_EQ(day.at("10:05:00.300", {StartRefused{2}}), Actions{});
  EXPECT_EQ(day.at("10:05:00.400", {WorkerFreed{}}), Actions{"start 2 due 10:05"});
}

TEST(Scheduler, ARefusedStartKeepsItsTurn) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "5 minutes")}});
  day.at("10:05", {TriggerRequested{70, 1}});
  day.at("10:05:00.100", {TriggerRequested{71, 1}});
  // Job 1 became ready anew, but job 2 has waited for longer.
  EXPECT_EQ(day.at("10:05:01", {RunEnded{1}, StartRefused{2}}), Actions{});
  EXPECT_EQ(day.at("10:05:02"), (Actions{"start 2 due 10:05", "start 1 due 10:05:01 run 71"}));
}

TEST(Scheduler, NewJobsQueueBehindRefusedOnes) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(2, "5 minutes")}, JobChanged{job(1, "", "10:00")}});
  day.at("10:05");
  day.at("10:05:00.100", {StartRefused{2}});
  EXPECT_EQ(day.at("10:05:00.200", {TriggerRequested{70, 1}}), Actions{});
  EXPECT_EQ(day.at("10:05:00.300", {WorkerFreed{}}),
            (Actions{"start 2 due 10:05", "start 1 due 10:05:00.200000 run 70"}));
}

TEST(Scheduler, AnAdoptedRunIsARun) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, RunAdopted{1}, RunAdopted{404}});
  EXPECT_EQ(day.at("10:05"), Actions{"missed 1 due 10:05"});
  EXPECT_EQ(day.at("10:06", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
  EXPECT_EQ(day.at("10:11", {RunAdopted{1}}), Actions{});
  EXPECT_EQ(day.at("10:12", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:15"), Actions{"start 1 due 10:15"});
}

TEST(Scheduler, WhatWasReadyWaitsForAnAdoptedRun) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, TriggerRequested{70, 1},
                   TriggerRequested{71, 1}, RunAdopted{1}});
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.at("10:01", {RunEnded{1}}), Actions{"start 1 due 10:01 run 70"});
  EXPECT_EQ(day.at("10:02", {RunEnded{1}}), Actions{"start 1 due 10:02 run 71"});
}

TEST(Scheduler, NothingStartsWhileItIsNotEnabled) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "")}});
  day.limits.enabled = false;
  EXPECT_EQ(day.at("10:05", {TriggerRequested{70, 2}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(day.at("10:10"), Actions{});
  day.limits.enabled = true;
  EXPECT_EQ(day.at("10:11"), Actions{"start 2 due 10:05 run 70"});
  EXPECT_EQ(day.at("10:15"), Actions{"start 1 due 10:15"});
}

TEST(Scheduler, AnEndThatNothingBeganIsIgnored) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  EXPECT_EQ(day.at("10:01", {RunEnded{1}, StartRefused{1}, RunEnded{404}, StartRefused{404},
                             WorkerFreed{}, JobRemoved{404}, TriggerWithdrawn{404}}),
            Actions{});
  EXPECT_EQ(day.wake_up(), "10:05");
  day.at("10:05");
  EXPECT_EQ(day.at("10:05:01", {StartRefused{1}, RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:05:02"), Actions{"start 1 due 10:05"});
}

TEST(Scheduler, StartsAThousandJobsThatAreDueTogether) {
  VirtualDay day;
  std::vector<Event> jobs, ends, refusals;
  Actions starts;
  for (JobId id = 1; id <= 1000; ++id) {
    jobs.emplace_back(JobChanged{job(id, "5 minutes")});
    if (id % 2 == 0)
      refusals.emplace_back(StartRefused{id});
    else
      ends.emplace_back(RunEnded{id});
    starts.push_back("start " + std::to_string(id) + " due 10:05");
  }
  day.at("10:00", jobs);
  EXPECT_EQ(day.at("10:05"), starts);
  EXPECT_EQ(day.at("10:05:00.100", refusals), Actions{});
  EXPECT_EQ(day.at("10:05:00.200", ends).size(), 500U);
  EXPECT_EQ(day.wake_up(), "10:10");
}

TEST(Scheduler, SixtySlotsOfOneSecondNeitherLoseNorDrift) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "1 second")}});
  Instant now = moment("10:00");
  for (int slot = 1; slot <= 60; ++slot) {
    const Instant due = moment("10:00") + std::chrono::seconds{slot};
    ASSERT_EQ(day.wake_up(), brief(due));
    now = due + std::chrono::milliseconds{slot * 37 % 50};
    ASSERT_EQ(day.tick(now), Actions{"start 1 due " + brief(due)});
    day.tick(now + std::chrono::milliseconds{700}, {RunEnded{1}});
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
