// That an owner who has nothing under way gets a worker within the bound that ready_runs.hpp
// states, whoever holds all of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/scheduler/scheduler.hpp"
#include "core/scheduler/yielding.hpp"
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

// One who is canceled and does not end has his worker terminated after the grace period.
constexpr std::chrono::minutes kYieldAfter{10};
constexpr std::chrono::seconds kGrace{10};

// Workers for runs that never end by themselves, which is the worst that owners can do.
class SchedulerYielding : public testing::Test {
 protected:
  struct Run {
    OwnerId owner;
    JobId job;
    Instant since;
    std::optional<Instant> canceled;
  };

  // One job a run, asked for now.
  void ask(OwnerId owner, int runs, int priority = 0) {
    for (int i = 0; i < runs; ++i) {
      Job next = owned(owner, ++last_, "", priority);
      next.limited = owner != kSuperuser;
      owner_of_[last_] = owner;
      events_.emplace_back(JobChanged{next});
      events_.emplace_back(TriggerRequested{last_, last_});
    }
  }

  void pass(Duration time) {
    for (const Instant until = now_ + time; now_ < until; now_ += std::chrono::seconds{1}) {
      end_canceled();
      tick();
    }
  }

  void tick() {
    Limits limits;
    limits.free_workers = workers_ - static_cast<int>(runs_.size());
    limits.owner_workers = std::max(workers_ - 1, 1);
    limits.yield_after = kYieldAfter;
    for (const Run& run : runs_) ++limits.busy[run.owner];
    const Plan plan = scheduler_.tick(now_, std::exchange(events_, {}), limits);
    for (const Action& action : plan.actions) {
      const JobId job = std::get<Start>(action).job;
      runs_.push_back({owner_of_.at(job), job, now_, std::nullopt});
      begun_.try_emplace(owner_of_.at(job), now_);
    }
    if (!plan.starving) return;
    std::vector<RunUnderWay> under_way;
    for (const Run& run : runs_)
      under_way.push_back(
          {run.owner, run.owner != kSuperuser, run.canceled.has_value(), now_ - run.since});
    if (const auto chosen = choose_yielding(under_way, kYieldAfter)) {
      runs_[*chosen].canceled = now_;
      ++yielded_;
    }
  }

  // Whoever yields asks for another run at once.
  void end_canceled() {
    for (std::size_t i = 0; i < runs_.size();) {
      if (!runs_[i].canceled || now_ - *runs_[i].canceled < kGrace) {
        ++i;
        continue;
      }
      const Run run = runs_[i];
      runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(i));
      events_.emplace_back(RunEnded{run.job});
      ask(run.owner, 1);
    }
  }

  int held_by(OwnerId owner) const {
    return static_cast<int>(std::count_if(runs_.begin(), runs_.end(),
                                          [owner](const Run& run) { return run.owner == owner; }));
  }

  static constexpr OwnerId kSuperuser = 1;
  Scheduler scheduler_;
  std::vector<Event> events_;
  std::vector<Run> runs_;
  std::map<JobId, OwnerId> owner_of_;
  std::map<OwnerId, Instant> begun_;
  JobId last_ = 0;
  Instant now_ = moment("10:00");
  int workers_ = 4;
  int yielded_ = 0;
};

TEST_F(SchedulerYielding, TwoRolesThatHoldAllWorkersGiveOneUp) {
  ask(kMany, 9);
  pass(std::chrono::seconds{1});
  ask(kFew, 9);
  pass(std::chrono::seconds{1});
  ASSERT_EQ(held_by(kMany), 3);
  ASSERT_EQ(held_by(kFew), 1);
  const Instant asked = now_;
  ask(kThird, 1);
  pass(2 * kYieldAfter + kGrace);
  ASSERT_EQ(begun_.count(kThird), 1U);
  EXPECT_GE(begun_.at(kThird) - asked, kYieldAfter);
  EXPECT_LE(begun_.at(kThird) - asked, 2 * kYieldAfter + kGrace);
  EXPECT_EQ(yielded_, 1);
}

TEST_F(SchedulerYielding, EveryOwnerBeginsWithinTheBoundAsLongAsSomebodyHasTwo) {
  workers_ = 8;
  ask(kMany, 20);
  pass(std::chrono::minutes{1});
  ask(kFew, 20);
  pass(std::chrono::minutes{1});
  const Instant asked = now_;
  for (OwnerId owner = 101; owner <= 106; ++owner) ask(owner, 5, owner % 2 == 0 ? 1 : 0);
  pass(2 * kYieldAfter + 6 * kGrace + std::chrono::seconds{6});
  for (OwnerId owner = 101; owner <= 106; ++owner) {
    ASSERT_EQ(begun_.count(owner), 1U) << owner;
    EXPECT_LE(begun_.at(owner) - asked, 2 * kYieldAfter + 6 * kGrace + std::chrono::seconds{6});
    EXPECT_EQ(held_by(owner), 1);
  }
}

// An owner's only run is his: eight of them hold eight workers, and nobody is canceled for a ninth.
TEST_F(SchedulerYielding, AnOnlyRunNeverYields) {
  for (OwnerId owner = 101; owner <= 104; ++owner) ask(owner, 3);
  pass(std::chrono::hours{1});
  const int before = yielded_;
  ask(kThird, 1);
  pass(std::chrono::hours{3});
  EXPECT_EQ(begun_.count(kThird), 0U);
  EXPECT_EQ(yielded_, before);
}

TEST_F(SchedulerYielding, NorDoesTheOneWorkerThereIs) {
  workers_ = 1;
  ask(kMany, 2);
  pass(std::chrono::seconds{1});
  ask(kFew, 1);
  pass(std::chrono::hours{3});
  EXPECT_EQ(yielded_, 0);
  EXPECT_EQ(held_by(kMany), 1);
}

TEST_F(SchedulerYielding, NorWhileNobodyElseWaits) {
  ask(kMany, 9);
  ask(kFew, 9);
  pass(std::chrono::hours{3});
  EXPECT_EQ(yielded_, 0);
}

TEST_F(SchedulerYielding, NorDoASuperusers) {
  ask(kSuperuser, 4);
  pass(std::chrono::seconds{1});
  ask(kMany, 1);
  pass(std::chrono::hours{3});
  EXPECT_EQ(yielded_, 0);
  EXPECT_EQ(held_by(kSuperuser), 4);
}

// A start that is refused for a moment does not begin the wait anew.
TEST_F(SchedulerYielding, ARefusalKeepsTheWait) {
  ask(kMany, 3);
  ask(kFew, 1);
  pass(std::chrono::seconds{1});
  ask(kThird, 1);
  pass(kYieldAfter - std::chrono::seconds{10});
  ++workers_;
  end_canceled();
  tick();
  ASSERT_EQ(held_by(kThird), 1);
  runs_.pop_back();
  begun_.clear();
  --workers_;
  events_.emplace_back(StartRefused{last_});
  pass(std::chrono::seconds{30});
  EXPECT_EQ(begun_.count(kThird), 1U);
}

TEST(Yielding, TakesOfTheOwnerWithTheMostTheOneThatLosesLeast) {
  const auto minutes = [](int count) { return Duration{std::chrono::minutes{count}}; };
  const std::vector<RunUnderWay> runs = {
      {1, true, false, minutes(90)}, {2, true, false, minutes(40)}, {2, true, false, minutes(30)},
      {3, true, false, minutes(20)}, {2, true, false, minutes(5)},  {3, true, false, minutes(15)}};
  EXPECT_EQ(choose_yielding(runs, minutes(10)), 2U);
  EXPECT_EQ(choose_yielding(runs, minutes(60)), std::nullopt);
  auto ending = runs;
  ending[0].ending = true;
  EXPECT_EQ(choose_yielding(ending, minutes(10)), std::nullopt);
}

}  // namespace
}  // namespace metrics_refresh::core::test
