// Who goes first, how many start, queue_one and jitter.

#include <gtest/gtest.h>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

Job urgent(Job job, int priority = 1) {
  job.priority = priority;
  return job;
}

Job queueing(Job job) {
  job.on_overlap = OnOverlap::kQueueOne;
  return job;
}

TEST(SchedulerCapacity, StartsNoMoreThanThereAreWorkers) {
  VirtualDay day;
  day.limits.free_workers = 2;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "5 minutes")},
                   JobChanged{job(3, "5 minutes")}, JobChanged{job(4, "5 minutes")}});
  EXPECT_EQ(day.at("10:05"), (Actions{"start 1 due 10:05", "start 2 due 10:05"}));
  EXPECT_GT(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.waiting(), (Actions{"start 3 due 10:05", "start 4 due 10:05"}));
  EXPECT_EQ(day.waiting(1), Actions{"start 3 due 10:05"});
  EXPECT_EQ(day.wake_up(), "10:05:01");
  day.limits.free_workers = 0;
  EXPECT_EQ(day.at("10:05:00.500"), Actions{});
  day.limits.free_workers = 1;
  EXPECT_EQ(day.at("10:05:00.600", {RunEnded{2}}), Actions{"start 3 due 10:05"});
  EXPECT_EQ(day.at("10:05:00.700"), Actions{"start 4 due 10:05"});
  EXPECT_EQ(day.wake_up(), "10:10");
}

TEST(SchedulerCapacity, NoWorkerIsNoReasonToStop) {
  VirtualDay day;
  day.limits.free_workers = -3;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  EXPECT_EQ(day.at("10:05"), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"missed 1 due 10:10"});
  day.limits.free_workers = 1;
  EXPECT_EQ(day.at("10:10:00.001"), Actions{"start 1 due 10:05"});
}

TEST(SchedulerPriority, TheHigherGoesFirstThenTheEarlierThenWhoCameFirst) {
  VirtualDay day;
  day.limits.free_workers = 0;
  day.at("10:00",
         {JobChanged{job(1, "8 minutes")}, JobChanged{urgent(job(2, "10 minutes"))},
          JobChanged{job(3, "")}, JobChanged{urgent(job(4, ""), -1)}, JobChanged{job(5, "")}});
  day.at("10:07", {TriggerRequested{70, 5}, TriggerRequested{71, 4}, TriggerRequested{72, 3}});
  day.at("10:08");
  EXPECT_EQ(day.at("10:10"), Actions{});
  const Actions order = {"start 2 due 10:10", "start 5 due 10:07 run 70",
                         "start 3 due 10:07 run 72", "start 1 due 10:08",
                         "start 4 due 10:07 run 71"};
  EXPECT_EQ(day.waiting(), order);
  day.limits.free_workers = 100;
  EXPECT_EQ(day.at("10:10:07"), order);
}

TEST(SchedulerPriority, ChangesWhileTheRunWaits) {
  VirtualDay day;
  day.limits.free_workers = 0;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "5 minutes")}});
  day.at("10:05");
  day.at("10:06", {JobChanged{urgent(job(2, "5 minutes", "10:05"))}});
  EXPECT_EQ(day.waiting(), (Actions{"start 2 due 10:05", "start 1 due 10:05"}));
  day.at("10:07", {JobChanged{urgent(job(2, "5 minutes", "10:05"), -1)}});
  EXPECT_EQ(day.waiting(), (Actions{"start 1 due 10:05", "start 2 due 10:05"}));
}

TEST(SchedulerPriority, ARefusedStartReturnsToItsPlace) {
  VirtualDay day;
  day.limits.free_workers = 1;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{urgent(job(2, "5 minutes"))},
                   JobChanged{urgent(job(3, ""), 2)}});
  EXPECT_EQ(day.at("10:05"), Actions{"start 2 due 10:05"});
  EXPECT_EQ(day.at("10:05", {StartRefused{2}, TriggerRequested{70, 3}}), Actions{});
  EXPECT_EQ(day.waiting(),
            (Actions{"start 3 due 10:05 run 70", "start 2 due 10:05", "start 1 due 10:05"}));
}

TEST(SchedulerLookAhead, NamesTheIdleJobsThatAreDueSoon) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}, JobChanged{job(2, "2 minutes")},
                   JobChanged{job(3, "3 minutes")}, JobChanged{job(4, "")}, RunAdopted{3}});
  EXPECT_EQ(day.scheduler.due_until(moment("10:05"), 9), (std::vector<JobId>{2, 1}));
  EXPECT_EQ(day.scheduler.due_until(moment("10:05"), 1), std::vector<JobId>{2});
  EXPECT_EQ(day.scheduler.due_until(moment("10:01:59"), 9), std::vector<JobId>{});
}

TEST(SchedulerQueueOne, OneRunServesTheLatestDueTime) {
  VirtualDay day;
  day.at("10:00", {JobChanged{queueing(job(1, "5 minutes"))}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:10"), Actions{});
  EXPECT_EQ(day.at("10:15"), Actions{"missed 1 due 10:10"});
  EXPECT_EQ(day.at("10:16", {RunEnded{1}}), Actions{"start 1 due 10:15"});
  EXPECT_EQ(day.at("10:17", {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:20"), Actions{"start 1 due 10:20"});
}

TEST(SchedulerQueueOne, WhileTheRunWaitsItServesTheDueTimeItself) {
  VirtualDay day;
  day.limits.free_workers = 0;
  day.at("10:00", {JobChanged{queueing(job(1, "5 minutes"))}});
  day.at("10:05");
  EXPECT_EQ(day.at("10:10"), Actions{"missed 1 due 10:10"});
}

TEST(SchedulerQueueOne, RequestsThatWaitGoFirst) {
  VirtualDay day;
  day.at("10:00", {JobChanged{queueing(job(1, "5 minutes"))}});
  day.at("10:05");
  day.at("10:10", {TriggerRequested{70, 1}});
  EXPECT_EQ(day.at("10:11", {RunEnded{1}}), Actions{"start 1 due 10:11 run 70"});
  EXPECT_EQ(day.at("10:12", {RunEnded{1}}), Actions{"start 1 due 10:10"});
}

TEST(SchedulerQueueOne, APauseAndARemovalForgetTheDueTime) {
  VirtualDay day;
  day.at("10:00",
         {JobChanged{queueing(job(1, "5 minutes"))}, JobChanged{queueing(job(2, "5 minutes"))}});
  day.at("10:05");
  day.at("10:10");
  day.at("10:11", {JobChanged{paused(queueing(job(1, "5 minutes")))}, JobRemoved{2},
                   JobChanged{queueing(job(1, "5 minutes"))}});
  EXPECT_EQ(day.at("10:12", {RunEnded{1}, RunEnded{2}}), Actions{});
  EXPECT_EQ(day.scheduler.job_count(), 1U);
}

TEST(SchedulerQueueOne, AStepBackLeavesNothingInTheFuture) {
  VirtualDay day;
  day.at("10:00", {JobChanged{queueing(job(1, "5 minutes"))}});
  day.at("10:05");
  day.at("10:10");
  EXPECT_EQ(day.at("06:11", {RunEnded{1}}), Actions{"start 1 due 06:11"});
}

TEST(SchedulerJitter, ADueTimeIsHandledWhenItsStartComes) {
  VirtualDay day;
  Job jittery = job(1, "5 minutes");
  jittery.timetable->jitter = std::chrono::minutes{4};
  const Timetable& timetable = *jittery.timetable;
  const Instant first = timetable.start_of(1, moment("10:05"));
  const Instant second = timetable.start_of(1, moment("10:10"));
  ASSERT_TRUE(first > moment("10:05:10") && second > moment("10:10:10"));
  EXPECT_EQ(day.at("10:00", {JobChanged{jittery}}), Actions{});
  EXPECT_EQ(day.wake_up(), brief(first));
  EXPECT_EQ(day.tick(first - Duration{1}), Actions{});
  EXPECT_EQ(day.tick(first), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.tick(second - Duration{1}, {RunEnded{1}}), Actions{});
  EXPECT_EQ(day.wake_up(), brief(second));
  EXPECT_EQ(day.tick(second), Actions{"start 1 due 10:10"});
}

TEST(SchedulerJitter, ALateLookDoesNotLoseTheSlotThatHasBegun) {
  for (const OnMissed on_missed : {OnMissed::kOnce, OnMissed::kSkip}) {
    VirtualDay day;
    Job jittery = job(1, "5 minutes", "09:00");
    jittery.timetable->jitter = std::chrono::minutes{4};
    jittery.on_missed = on_missed;
    const Instant start = jittery.timetable->start_of(1, moment("10:10"));
    ASSERT_GT(start, moment("10:10:10"));
    const Actions now = day.at("10:10:10", {JobChanged{jittery}});
    EXPECT_EQ(now, on_missed == OnMissed::kOnce ? Actions{"start 1 due 09:05"} : Actions{});
    EXPECT_EQ(day.at("10:10:10", {RunEnded{1}}), Actions{});
    EXPECT_EQ(day.wake_up(), brief(start));
    EXPECT_EQ(day.tick(start), Actions{"start 1 due 10:10"});
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
