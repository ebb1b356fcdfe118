// Whose run goes next: turns between owners, the urgent lane, limits of owners, and that a run
// of anybody's begins within the bound that ready_runs.hpp states.

#include <gtest/gtest.h>

#include <map>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

constexpr OwnerId kMany = 10, kFew = 20, kThird = 30;

Job owned(OwnerId owner, JobId id, const std::string& schedule = "", int priority = 0) {
  Job result = job(id, schedule);
  result.owner = owner;
  result.priority = priority;
  return result;
}

// Workers that take a second for every run, in virtual time.
class SchedulerShares : public testing::Test {
 protected:
  struct Begun {
    JobId job;
    int second;  // since 10:00
  };

  // Makes `count` jobs of `owner`, due every second.
  void flood(OwnerId owner, int count, int priority = 0) {
    for (int i = 0; i < count; ++i) {
      Job next = owned(owner, ++last_, "1 second", priority);
      next.handled_until = now();
      owner_of_[last_] = owner;
      events_.emplace_back(JobChanged{next});
    }
  }

  JobId add(Job next) {
    next.handled_until = now();
    owner_of_[next.id] = next.owner;
    events_.emplace_back(JobChanged{next});
    return next.id;
  }

  // A second with `workers`: what ran has ended, and the next begin.
  std::vector<JobId> pass_second(int workers) {
    ++second_;
    for (const JobId id : running_) events_.emplace_back(RunEnded{id});
    running_.clear();
    limits_.free_workers = workers;
    const Plan plan = scheduler_.tick(now(), std::exchange(events_, {}), limits_);
    for (const Action& action : plan.actions)
      if (const auto* start = std::get_if<Start>(&action)) running_.push_back(start->job);
    return running_;
  }

  std::map<OwnerId, int> count_starts(int seconds, int workers) {
    std::map<OwnerId, int> counts;
    for (int i = 0; i < seconds; ++i)
      for (const JobId id : pass_second(workers)) ++counts[owner_of_.at(id)];
    return counts;
  }

  Instant now() const { return moment("10:00") + std::chrono::seconds{second_}; }

  Scheduler scheduler_;
  Limits limits_;
  std::vector<Event> events_;
  std::vector<JobId> running_;
  std::map<JobId, OwnerId> owner_of_;
  JobId last_ = 1000;
  int second_ = 0;
};

TEST_F(SchedulerShares, ThousandsOfJobsDoNotDelayAnothersOwn) {
  flood(kMany, 2000);
  add(owned(kFew, 1, "10 seconds"));
  count_starts(5, 4);
  int starts = 0;
  for (int i = 0; i < 600; ++i)
    for (const JobId id : pass_second(4)) {
      if (id != 1) continue;
      ++starts;
      EXPECT_EQ(second_ % 10, 0) << "it waited";
    }
  EXPECT_EQ(starts, 60);
}

TEST_F(SchedulerShares, OwnersTakeTurnsHoweverManyRunsEachHas) {
  flood(kMany, 300);
  flood(kFew, 30);
  flood(kThird, 5);
  const auto counts = count_starts(300, 1);
  EXPECT_NEAR(counts.at(kMany), 100, 3);
  EXPECT_NEAR(counts.at(kFew), 100, 3);
  EXPECT_NEAR(counts.at(kThird), 100, 3);
}

TEST_F(SchedulerShares, WhoComesBackGetsNoMoreThanATurn) {
  flood(kMany, 100);
  flood(kThird, 100);
  JobId id = 0;
  std::map<OwnerId, int> counts;
  for (int i = 0; i < 300; ++i) {
    // One run at a time waits, of a new job each time.
    if (i > 0 && id > 0) events_.emplace_back(JobRemoved{id});
    events_.emplace_back(JobChanged{owned(kFew, ++id)});
    owner_of_[id] = kFew;
    events_.emplace_back(TriggerRequested{id, id});
    for (const JobId started : pass_second(1)) ++counts[owner_of_.at(started)];
  }
  EXPECT_GE(counts.at(kMany), 95);
  EXPECT_GE(counts.at(kThird), 95);
}

TEST_F(SchedulerShares, UrgentRunsLeaveOneOfFourStarts) {
  flood(kMany, 12, 1000);
  flood(kFew, 12);
  const auto counts = count_starts(400, 1);
  EXPECT_EQ(counts.at(kMany), 300);
  EXPECT_EQ(counts.at(kFew), 100);
}

TEST_F(SchedulerShares, UrgentRunsGoFirst) {
  add(owned(kFew, 1, "", 0));
  add(owned(kMany, 2, "", 1));
  add(owned(kThird, 3, "", 1000));
  add(owned(kThird, 4, "", -1));
  for (JobId id = 1; id <= 4; ++id) events_.emplace_back(TriggerRequested{id, id});
  EXPECT_EQ(pass_second(10), (std::vector<JobId>{2, 3, 1, 4}));
}

TEST_F(SchedulerShares, AJobOfLowPriorityOfOnesOwnBegins) {
  flood(kMany, 12, 1000);
  flood(kFew, 12, 0);
  add(owned(kFew, 1, "1 second", -1000));
  add(owned(kMany, 2, "1 second", 1));
  std::map<JobId, int> first;
  for (int i = 0; i < 400; ++i)
    for (const JobId id : pass_second(1)) first.try_emplace(id, second_);
  // kOvertakeLimit, then at most 4 * n * (m + 1) starts, where all 12 became ready before.
  const auto patience = static_cast<int>(
      std::chrono::duration_cast<std::chrono::seconds>(ReadyRuns::kOvertakeLimit).count());
  ASSERT_EQ(first.count(1), 1U);
  ASSERT_EQ(first.count(2), 1U);
  EXPECT_GE(first.at(1), patience);
  EXPECT_LE(first.at(1), patience + 4 * 13);
  EXPECT_LE(first.at(2), patience + 4 * 13);
}

// A start that is refused costs nobody his turn: else, where refusals alternate, one never begins.
TEST_F(SchedulerShares, ARefusalLeavesTheTurn) {
  flood(kMany, 3);
  flood(kFew, 3);
  std::map<OwnerId, int> counts;
  for (int i = 0; i < 200; ++i) {
    const std::vector<JobId> started = pass_second(1);
    ASSERT_EQ(started.size(), 1U);
    if (i % 2 == 0) {  // the worker is another owner's, and leaves
      events_.emplace_back(StartRefused{started.front()});
      events_.emplace_back(WorkerFreed{});
      running_.clear();
    } else {
      ++counts[owner_of_.at(started.front())];
    }
  }
  EXPECT_EQ(counts.at(kMany), 50);
  EXPECT_EQ(counts.at(kFew), 50);
}

// But one that a worker had and could not begin has been its owner's turn.
TEST_F(SchedulerShares, ARunThatCannotBeginTakesItsTurn) {
  flood(kMany, 3);
  flood(kFew, 3);
  int served = 0;
  for (int i = 0; i < 200; ++i) {
    const std::vector<JobId> started = pass_second(1);
    ASSERT_EQ(started.size(), 1U);
    if (owner_of_.at(started.front()) == kFew) {
      ++served;
      continue;
    }
    events_.emplace_back(StartRefused{started.front(), std::nullopt, true});
    events_.emplace_back(WorkerFreed{});
    running_.clear();
  }
  EXPECT_EQ(served, 100);
}

TEST_F(SchedulerShares, AnOwnerAtTheLimitWaitsAndNobodyWithHim) {
  for (JobId id = 1; id <= 4; ++id) {
    Job next = owned(kMany, id, "1 second");
    next.limited = true;
    add(next);
  }
  add(owned(kFew, 5, "1 second"));
  add(owned(kFew, 6, "1 second"));
  add(owned(kFew, 7, "1 second"));
  limits_.owner_workers = 2;
  EXPECT_EQ(pass_second(9), (std::vector<JobId>{1, 5, 2, 6, 7}));
  EXPECT_EQ(scheduler_.waiting_count(), 2U);
  // The others are not limited, whatever runs.
  limits_.busy = {{kMany, 2}, {kFew, 9}};
  EXPECT_EQ(scheduler_.tick(now(), {}, limits_).actions.size(), 0U);
  limits_.busy = {{kMany, 1}};
  const Plan plan = scheduler_.tick(now(), {RunEnded{1}}, limits_);
  ASSERT_EQ(plan.actions.size(), 1U);
  EXPECT_EQ(std::get<Start>(plan.actions.front()).job, 3);
}

TEST_F(SchedulerShares, TheLimitCountsMembersOfGroups) {
  Job group = owned(kMany, 1);
  group.limited = true;
  add(group);
  limits_.owner_workers = 2;
  events_.emplace_back(TriggerRequested{70, 1});
  EXPECT_EQ(pass_second(9).size(), 1U);
  const Plan plan =
      scheduler_.tick(now(), {GroupOpened{1, 70, {{1, {}}, {2, {}}, {3, {}}}}}, limits_);
  EXPECT_EQ(plan.actions.size(), 2U);
  EXPECT_EQ(scheduler_.waiting(9).size(), 1U);
}

TEST_F(SchedulerShares, AnotherOwnerOfTheJobTakesItsPlaceWithHim) {
  flood(kMany, 3);
  add(owned(kFew, 2000, "1 second"));
  ++second_;
  limits_.free_workers = 0;
  (void)scheduler_.tick(now(), std::exchange(events_, {}), limits_);
  EXPECT_EQ(scheduler_.waiting(2).back().job, 2000);
  (void)scheduler_.tick(now(), {JobChanged{owned(kMany, 2000, "1 second")}}, limits_);
  EXPECT_EQ(scheduler_.waiting(9).back().job, 2000);
  EXPECT_EQ(scheduler_.waiting_count(), 4U);
}

// What is changed about a job that waits costs its owner no turn.
TEST_F(SchedulerShares, AJobThatIsAlteredKeepsItsOwnersTurn) {
  flood(kMany, 3);
  add(owned(kFew, 1));
  events_.emplace_back(TriggerRequested{1, 1});
  ++second_;
  limits_.free_workers = 0;
  (void)scheduler_.tick(now(), std::exchange(events_, {}), limits_);
  add(owned(kThird, 2));
  events_.emplace_back(TriggerRequested{2, 2});
  add(owned(kFew, 1));
  EXPECT_EQ(pass_second(0).size(), 0U);
  EXPECT_EQ(pass_second(1), (std::vector<JobId>{1}));
}

}  // namespace
}  // namespace metrics_refresh::core::test
