// Retries: when they run, and what they give way to.

#include <gtest/gtest.h>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

Job retried(Job job, const std::string& at, const std::string& due, int attempt = 2) {
  job.retry = Retry{moment(at), moment(due), attempt};
  return job;
}

TEST(SchedulerRetry, RunsAtItsTimeForTheOldDueTime) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  day.at("10:05:10",
         {RunEnded{1}, JobChanged{retried(job(1, "5 minutes", "10:05"), "10:05:20", "10:05")}});
  EXPECT_EQ(day.wake_up(), "10:05:20");
  EXPECT_EQ(brief(day.scheduler.next_due()), "10:05:20");
  EXPECT_EQ(day.at("10:05:20"), Actions{"start 1 due 10:05 attempt 2"});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(day.at("10:05:21", {JobChanged{job(1, "5 minutes", "10:05")}, RunEnded{1}}), Actions{});
  EXPECT_EQ(day.at("10:10"), Actions{"start 1 due 10:10"});
}

TEST(SchedulerRetry, WaitsForTheEndOfTheRunThatPlannedIt) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job(1, "5 minutes")}});
  day.at("10:05");
  const Job failed = retried(job(1, "5 minutes", "10:05"), "10:05:20", "10:05");
  EXPECT_EQ(day.at("10:05:10", {JobChanged{failed}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:10");
  EXPECT_EQ(day.at("10:05:30"), Actions{});
  EXPECT_EQ(day.at("10:05:31", {RunEnded{1}}), Actions{"start 1 due 10:05 attempt 2"});
}

TEST(SchedulerRetry, IsDroppedWhereADueTimeComesFirst) {
  VirtualDay day;
  day.at("10:00", {JobChanged{retried(job(1, "5 minutes"), "10:05", "10:00")},
                   JobChanged{retried(job(2, "5 minutes"), "10:04:59.999999", "10:00")}});
  EXPECT_EQ(day.at("10:04:59.999999"), Actions{"start 2 due 10:00 attempt 2"});
  EXPECT_EQ(day.at("10:05"), (Actions{"missed 2 due 10:05", "start 1 due 10:05"}));
}

TEST(SchedulerRetry, IsDroppedWhereADueTimeCameSince) {
  VirtualDay day;
  const Job both = retried(job(1, "5 minutes", "10:00"), "10:01", "10:00");
  EXPECT_EQ(day.at("10:07", {JobChanged{both}}), Actions{"start 1 due 10:05"});
  Job skip = skipping(retried(job(2, "5 minutes", "10:00"), "10:01", "10:00"));
  EXPECT_EQ(day.at("10:08", {JobChanged{skip}}), Actions{});
  skip.handled_until = moment("10:07");
  EXPECT_EQ(day.at("10:09", {JobChanged{skip}}), Actions{});
  EXPECT_EQ(day.wake_up(), "10:10");
}

TEST(SchedulerRetry, ThatWaitsForAWorkerGivesWayToADueTime) {
  VirtualDay day;
  day.limits.free_workers = 0;
  const Job failed = retried(job(1, "5 minutes", "10:00"), "10:01", "10:00");
  day.at("10:00:10", {JobChanged{failed}});
  EXPECT_EQ(day.at("10:01"), Actions{});
  EXPECT_EQ(day.waiting(), Actions{"start 1 due 10:00 attempt 2"});
  day.at("10:02", {JobChanged{failed}});
  EXPECT_EQ(day.waiting(), Actions{"start 1 due 10:00 attempt 2"});
  EXPECT_EQ(day.at("10:05"), Actions{});
  EXPECT_EQ(day.waiting(), Actions{"start 1 due 10:05"});
  day.limits.free_workers = 1;
  EXPECT_EQ(day.at("10:06", {JobChanged{failed}}), Actions{"start 1 due 10:05"});
  EXPECT_EQ(day.at("10:07", {RunEnded{1}}), Actions{});
}

TEST(SchedulerRetry, IsGoneWithAChangeAPauseOrAnotherRun) {
  VirtualDay day;
  const auto failed = [](JobId id) {
    return retried(job(id, "1 hour", "10:00"), "10:05", "10:00");
  };
  day.at("10:01", {JobChanged{failed(1)}, JobChanged{failed(2)}, JobChanged{failed(3)},
                   JobChanged{failed(4)}});
  EXPECT_EQ(day.at("10:02", {JobChanged{job(1, "1 hour", "10:00")}, JobChanged{paused(failed(2))},
                             TriggerRequested{70, 3}, JobRemoved{4}}),
            Actions{"start 3 due 10:02 run 70"});
  EXPECT_EQ(day.at("10:03", {RunEnded{3}}), Actions{});
  EXPECT_EQ(day.at("10:06"), Actions{});
  EXPECT_EQ(day.wake_up(), "11:00");
}

TEST(SchedulerRetry, ThatIsClearedWhileItWaitsForAWorkerDoesNotRun) {
  VirtualDay day;
  day.limits.free_workers = 0;
  day.at("10:01", {JobChanged{retried(job(1, "1 hour"), "10:01", "10:00")},
                   JobChanged{retried(job(2, "1 hour"), "10:01", "10:00")}});
  day.at("10:02", {JobChanged{job(1, "1 hour")},
                   JobChanged{paused(retried(job(2, "1 hour"), "10:01", "10:00"))}});
  EXPECT_EQ(day.waiting(), Actions{});
}

TEST(SchedulerRetry, WaitsWhileNothingIsEnabled) {
  VirtualDay day;
  day.limits.enabled = false;
  day.at("10:00", {JobChanged{retried(job(1, "1 hour"), "10:01", "10:00")},
                   JobChanged{retried(job(2, "5 minutes"), "10:01", "10:00")}});
  EXPECT_EQ(day.at("10:01"), Actions{});
  EXPECT_EQ(day.at("10:05"), Actions{});
  day.limits.enabled = true;
  EXPECT_EQ(day.at("10:06"), Actions{"start 1 due 10:00 attempt 2"});
}

TEST(SchedulerRetry, OfAJobWithoutAnyMoreDueTimes) {
  VirtualDay day;
  Job ended = retried(job(1, "5 minutes", "10:05"), "10:05:20", "10:05");
  ended.timetable->ends_at = moment("10:07");
  day.at("10:05:10", {JobChanged{ended}, JobChanged{retried(job(2, ""), "10:06", "10:05")}});
  EXPECT_EQ(day.at("10:05:20"), Actions{"start 1 due 10:05 attempt 2"});
  EXPECT_EQ(day.at("10:06"), Actions{"start 2 due 10:05 attempt 2"});
  EXPECT_EQ(day.wake_up(), "never");
}

TEST(SchedulerRetry, ARefusedOneIsTriedAgain) {
  VirtualDay day;
  day.at("10:00", {JobChanged{retried(job(1, "5 minutes"), "10:01", "10:00", 3)}});
  EXPECT_EQ(day.at("10:01"), Actions{"start 1 due 10:00 attempt 3"});
  EXPECT_EQ(day.at("10:01", {StartRefused{1}}), Actions{});
  EXPECT_EQ(day.at("10:01:01"), Actions{"start 1 due 10:00 attempt 3"});
}

TEST(SchedulerRetry, AClockSteppedBackDoesNotLeaveItInTheFuture) {
  VirtualDay day;
  Job failed = retried(job(1, "1 hour", "10:00"), "10:00:30", "10:00");
  failed.timetable->ends_at = moment("10:00");
  day.at("10:00:10", {JobChanged{failed}});
  EXPECT_EQ(day.wake_up(), "10:00:30");
  EXPECT_EQ(day.at("04:00:10"), Actions{});
  EXPECT_EQ(day.wake_up(), "04:00:40");
  VirtualDay other;
  other.at("04:00:10", {JobChanged{failed}});
  EXPECT_EQ(other.wake_up(), "04:00:40");
}

}  // namespace
}  // namespace metrics_refresh::core::test
