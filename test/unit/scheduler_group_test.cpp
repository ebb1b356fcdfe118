// Groups: a job whose run only plans, and whose members are then started in the order of what they
// wait for.

#include <gtest/gtest.h>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

Job group(JobId id = 1, int max_parallel = 0) {
  Job result = job(id, "1 hour");
  result.max_parallel = max_parallel;
  return result;
}

// 1 and 2 wait for nobody, 3 for 1, 4 for 3 and 2.
const std::vector<GroupMember> kDiamond = {{4, {3, 2}}, {3, {1}}, {2, {}}, {1, {}}};

// Group 1 is planned as run 90 at 11:00:01.
VirtualDay opened(const std::vector<GroupMember>& pending, const Job& job = group()) {
  VirtualDay day;
  day.at("10:00", {JobChanged{job}});
  EXPECT_EQ(day.at("11:00"), Actions{"start 1 due 11:00"});
  day.limits.free_workers = 0;
  EXPECT_EQ(day.at("11:00:01", {GroupOpened{1, 90, pending}}), Actions{});
  day.limits.free_workers = 100;
  return day;
}

TEST(SchedulerGroup, MembersStartWhenWhatTheyWaitForHasSucceeded) {
  VirtualDay day = opened(kDiamond);
  EXPECT_EQ(day.at("11:00:01"),
            (Actions{"start 1.1 due 11:00:01 run 90", "start 1.2 due 11:00:01 run 90"}));
  EXPECT_EQ(day.at("11:00:02", {RunEnded{1, 1}}), Actions{"start 1.3 due 11:00:02 run 90"});
  EXPECT_EQ(day.at("11:00:03", {RunEnded{1, 3}}), Actions{});
  EXPECT_EQ(day.at("11:00:04", {RunEnded{1, 2}}), Actions{"start 1.4 due 11:00:04 run 90"});
  EXPECT_EQ(day.at("11:00:05", {TriggerRequested{91, 1}}), Actions{});
  EXPECT_EQ(day.at("11:00:06", {RunEnded{1, 4}}), Actions{"start 1 due 11:00:06 run 91"});
}

TEST(SchedulerGroup, AFailedMemberTakesThoseThatWaitForItAlong) {
  VirtualDay day = opened(kDiamond);
  day.at("11:00:01");
  EXPECT_EQ(day.at("11:00:02", {RunEnded{1, 1, false}}), Actions{});
  EXPECT_EQ(day.at("11:00:03", {TriggerRequested{91, 1}}), Actions{});
  EXPECT_EQ(day.at("11:00:04", {RunEnded{1, 2}}), Actions{"start 1 due 11:00:04 run 91"});
}

TEST(SchedulerGroup, IsTheRunOfItsJobUntilNoMemberIsLeft) {
  Job queueing = group();
  queueing.on_overlap = OnOverlap::kQueueOne;
  VirtualDay day = opened({{1, {}}}, queueing);
  day.at("11:00:01");
  EXPECT_EQ(day.at("12:00"), Actions{});
  EXPECT_EQ(day.at("13:00"), Actions{"missed 1 due 12:00"});
  EXPECT_EQ(day.at("13:01", {RunEnded{1}}), Actions{});  // the job's own run has ended before
  EXPECT_EQ(day.at("13:02", {RunEnded{1, 1}}), Actions{"start 1 due 13:00"});
}

TEST(SchedulerGroup, WithoutMembersHasEndedAtOnce) {
  VirtualDay day = opened({});
  EXPECT_EQ(day.at("11:00:02", {TriggerRequested{91, 1}}), Actions{"start 1 due 11:00:02 run 91"});
  EXPECT_EQ(day.at("11:00:03", {RunEnded{1}}), Actions{});  // could not plan
  EXPECT_EQ(day.at("12:00"), Actions{"start 1 due 12:00"});
}

TEST(SchedulerGroup, ThatAnEarlierRunHasNothingPendingSaysNothingOfTheOneBeingPlanned) {
  VirtualDay day = opened({{1, {}}});
  EXPECT_EQ(day.at("11:00:01"), Actions{"start 1.1 due 11:00:01 run 90"});
  EXPECT_EQ(day.at("11:00:02", {RunEnded{1, 1}}), Actions{});
  EXPECT_EQ(day.at("12:00"), Actions{"start 1 due 12:00"});
  EXPECT_EQ(day.at("12:00:01", {GroupOpened{1, 90, {}}, TriggerRequested{91, 1}}), Actions{});
  EXPECT_EQ(day.at("12:00:02", {RunEnded{1}}), Actions{"start 1 due 12:00:02 run 91"});
}

TEST(SchedulerGroup, NoMoreMembersRunThanMayInParallel) {
  VirtualDay day = opened({{1, {}}, {2, {}}, {3, {}}, {4, {}}}, group(1, 2));
  EXPECT_EQ(day.scheduler.waiting(9).size(), 2U);
  EXPECT_EQ(day.at("11:00:01"),
            (Actions{"start 1.1 due 11:00:01 run 90", "start 1.2 due 11:00:01 run 90"}));
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.at("11:00:02", {RunEnded{1, 2}}), Actions{"start 1.3 due 11:00:01 run 90"});
  EXPECT_EQ(day.at("11:00:03", {JobChanged{group(1, 1)}, RunEnded{1, 1}}), Actions{});
  EXPECT_EQ(day.at("11:00:04", {JobChanged{group(1, 3)}}),
            Actions{"start 1.4 due 11:00:01 run 90"});
}

TEST(SchedulerGroup, MembersWaitForAWorkerWithTheRank) {
  VirtualDay day = opened({{1, {}}, {2, {}}, {3, {1}}});
  Job important = job(2, "");
  important.priority = 1;
  day.limits.free_workers = 1;
  EXPECT_EQ(day.at("11:00:01", {JobChanged{important}, JobChanged{job(3, "")}}),
            Actions{"start 1.1 due 11:00:01 run 90"});
  day.limits.free_workers = 0;
  day.at("11:00:02", {TriggerRequested{92, 2}, TriggerRequested{93, 3}, RunEnded{1, 1}});
  day.limits.free_workers = 9;
  EXPECT_EQ(day.at("11:00:03"),
            (Actions{"start 2 due 11:00:02 run 92", "start 1.2 due 11:00:01 run 90",
                     "start 3 due 11:00:02 run 93", "start 1.3 due 11:00:02 run 90"}));
}

TEST(SchedulerGroup, TheRankFollowsThePriorityOfTheJob) {
  VirtualDay day = opened({{1, {}}, {2, {}}});
  day.limits.free_workers = 1;
  Job lesser = group();
  lesser.priority = -1;
  day.at("11:00:01", {JobChanged{job(2, "")}, JobChanged{lesser}, TriggerRequested{92, 2}});
  EXPECT_EQ(day.at("11:00:02"), Actions{"start 1.1 due 11:00:01 run 90"});
}

TEST(SchedulerGroup, ARefusedMemberReturnsToItsPlace) {
  VirtualDay day = opened({{1, {}}, {2, {}}, {3, {}}});
  day.limits.free_workers = 2;
  day.at("11:00:01");
  EXPECT_EQ(day.at("11:00:01", {StartRefused{1, 1}}), Actions{});
  EXPECT_EQ(day.wake_up(), "11:00:02");
  EXPECT_EQ(day.scheduler.waiting(9).size(), 2U);
  EXPECT_EQ(day.at("11:00:02"),
            (Actions{"start 1.1 due 11:00:01 run 90", "start 1.3 due 11:00:01 run 90"}));
  day.limits.free_workers = 1;
  EXPECT_EQ(day.at("11:00:03", {StartRefused{1, 3}, RunEnded{1, 2}}),
            Actions{"start 1.3 due 11:00:01 run 90"});
}

TEST(SchedulerGroup, CancelledMembersAreNotStarted) {
  VirtualDay day = opened(kDiamond);
  day.limits.free_workers = 1;
  EXPECT_EQ(day.at("11:00:01"), Actions{"start 1.1 due 11:00:01 run 90"});
  // 1 is not in the tables as running yet; 2 was cancelled, and 4 with it.
  EXPECT_EQ(day.at("11:00:02", {GroupOpened{1, 90, {{3, {1}}, {1, {}}}}}), Actions{});
  EXPECT_EQ(day.at("11:00:03", {RunEnded{1, 1}}), Actions{"start 1.3 due 11:00:03 run 90"});
  EXPECT_EQ(day.at("11:00:04", {TriggerRequested{91, 1}, RunEnded{1, 3}}),
            Actions{"start 1 due 11:00:04 run 91"});
}

TEST(SchedulerGroup, ARefusedMemberThatWasCancelledMeanwhileIsGone) {
  VirtualDay day = opened({{1, {}}});
  day.at("11:00:01");
  EXPECT_EQ(day.at("11:00:02", {GroupOpened{1, 90, {}}}), Actions{});
  EXPECT_EQ(day.at("11:00:03", {StartRefused{1, 1}, TriggerRequested{91, 1}}), Actions{});
  EXPECT_EQ(day.at("11:00:04"), Actions{"start 1 due 11:00:03 run 91"});
}

TEST(SchedulerGroup, ANewSchedulerGoesOnFromTheTables) {
  VirtualDay day;
  EXPECT_EQ(day.at("11:10", {JobChanged{group()}, TriggerRequested{91, 1}, RunAdopted{1, 1},
                             GroupOpened{1, 90, {{3, {1}}, {4, {2}}, {5, {3, 4}}}}}),
            (Actions{"missed 1 due 11:00", "start 1.4 due 11:10 run 90"}));
  EXPECT_EQ(day.at("11:11", {RunEnded{1, 1}}), Actions{"start 1.3 due 11:11 run 90"});
  EXPECT_EQ(day.at("11:12", {RunEnded{1, 3}}), Actions{});
  EXPECT_EQ(day.at("11:13", {RunEnded{1, 4}}), Actions{"start 1.5 due 11:13 run 90"});
  EXPECT_EQ(day.at("11:14", {RunEnded{1, 5}}), Actions{"start 1 due 11:14 run 91"});
}

TEST(SchedulerGroup, ANewSchedulerFindsNothingUnderWayOrOnlyThat) {
  VirtualDay pending, running;
  EXPECT_EQ(pending.at("10:10", {JobChanged{group()}, GroupOpened{1, 90, {{1, {}}}}}),
            Actions{"start 1.1 due 10:10 run 90"});
  running.at("10:10", {JobChanged{group()}, RunAdopted{1, 1}, TriggerRequested{91, 1}});
  EXPECT_EQ(running.at("10:11", {RunEnded{1, 1}}), Actions{"start 1 due 10:11 run 91"});
}

TEST(SchedulerGroup, APausedGroupGoesOnWithItsOpenRun) {
  VirtualDay day = opened({{1, {}}, {2, {1}}});
  EXPECT_EQ(day.at("11:00:02", {JobChanged{paused(group())}}),
            Actions{"start 1.1 due 11:00:01 run 90"});
  EXPECT_EQ(day.at("11:00:03", {RunEnded{1, 1}}), Actions{"start 1.2 due 11:00:03 run 90"});
  EXPECT_EQ(day.at("11:00:04", {RunEnded{1, 2}}), Actions{});
  EXPECT_EQ(day.wake_up(), "never");
}

TEST(SchedulerGroup, ARemovedGroupStartsNoMoreMembers) {
  VirtualDay day = opened({{1, {}}, {2, {1}}, {3, {}}});
  day.limits.free_workers = 1;
  day.at("11:00:01");
  EXPECT_EQ(day.at("11:00:02", {JobRemoved{1}}), Actions{});
  EXPECT_EQ(day.scheduler.waiting_count(), 0U);
  EXPECT_EQ(day.scheduler.job_count(), 1U);
  EXPECT_EQ(day.at("11:00:03", {RunEnded{1, 1}}), Actions{});
  EXPECT_EQ(day.scheduler.job_count(), 0U);
}

TEST(SchedulerGroup, ThatIsRemovedWhileItPlansOrWaitsIsGone) {
  VirtualDay day;
  day.at("10:00", {JobChanged{group()}, JobChanged{group(2)}});
  day.at("11:00");
  day.limits.free_workers = 0;
  day.at("11:00:01", {GroupOpened{2, 90, {{1, {}}}}, JobRemoved{1}, JobRemoved{2}});
  EXPECT_EQ(day.scheduler.job_count(), 1U);
  EXPECT_EQ(day.at("11:00:02", {GroupOpened{1, 91, {{1, {}}}}}), Actions{});
  EXPECT_EQ(day.scheduler.job_count(), 0U);
}

TEST(SchedulerGroup, MembersWaitWhileNothingIsEnabled) {
  VirtualDay day = opened({{1, {}}, {2, {1}}});
  day.limits.enabled = false;
  EXPECT_EQ(day.at("11:00:02"), Actions{});
  EXPECT_EQ(day.wake_up(), "12:00");
  day.limits.enabled = true;
  EXPECT_EQ(day.at("11:00:03"), Actions{"start 1.1 due 11:00:01 run 90"});
}

TEST(SchedulerGroup, ARetryPlansAnew) {
  VirtualDay day = opened({{1, {}}});
  day.at("11:00:01");
  Job failed = group();
  failed.handled_until = moment("11:00");
  failed.retry = Retry{moment("11:00:20"), moment("11:00"), 2};
  EXPECT_EQ(day.at("11:00:10", {JobChanged{failed}, RunEnded{1, 1, false}}), Actions{});
  EXPECT_EQ(day.at("11:00:20"), Actions{"start 1 due 11:00 attempt 2"});
  EXPECT_EQ(day.at("11:00:21", {GroupOpened{1, 91, {{1, {}}}}}),
            Actions{"start 1.1 due 11:00:21 run 91"});
}

TEST(SchedulerGroup, NothingUnknownDisturbsIt) {
  VirtualDay day = opened({{1, {}}, {2, {1}}});
  day.at("11:00:01");
  EXPECT_EQ(
      day.at("11:00:02", {GroupOpened{404, 90, {{1, {}}}}, RunEnded{1, 2}, RunEnded{1, 7},
                          StartRefused{1, 2}, RunAdopted{404, 1}, RunAdopted{1, 1}, WorkerFreed{}}),
      Actions{});
  EXPECT_EQ(day.at("11:00:03", {RunEnded{1, 1}}), Actions{"start 1.2 due 11:00:03 run 90"});
}

TEST(SchedulerGroup, AStepBackLeavesNoMemberBehind) {
  VirtualDay day = opened({{1, {}}, {2, {1}}});
  EXPECT_EQ(day.at("07:00:00"), Actions{"start 1.1 due 07:00 run 90"});
  EXPECT_EQ(day.at("07:00:01", {RunEnded{1, 1}}), Actions{"start 1.2 due 07:00:01 run 90"});
}

}  // namespace
}  // namespace metrics_refresh::core::test
