// What an event costs where there are very many jobs: counted in looks at the time zone, of which a
// job's due times need some, and bounded generously in time.

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "core/scheduler/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

constexpr JobId kJobs = 100'000;

class CountingZone : public FakeZone {
 public:
  CountingZone() : FakeZone(std::chrono::seconds{0}) {}
  Period period_at(Instant t) const override {
    ++looks;
    return FakeZone::period_at(t);
  }
  mutable int looks = 0;
};

// Most of the jobs are due once a year, on some day of it; a few are `busy`.
class SchedulerScale : public testing::Test {
 protected:
  Job dormant(JobId id) const {
    const std::string month = std::to_string(id % 2 + 7), day = std::to_string(id % 28 + 1);
    Job result = job(id, "0 3 " + day + " " + month + " *");
    result.timetable->zone = &zone_;
    return result;
  }

  void SetUp() override {
    std::vector<Event> load;
    for (JobId id = 1; id <= kJobs; ++id) load.emplace_back(JobChanged{dormant(id)});
    scheduler_.tick(now_, load);
    ASSERT_EQ(scheduler_.job_count(), static_cast<std::size_t>(kJobs));
  }

  // Looks at the zone during one tick.
  int looks_of(const std::vector<Event>& events, int free_workers = 1) {
    zone_.looks = 0;
    now_ += Duration{1};
    plan_ = scheduler_.tick(now_, events, {true, free_workers});
    return zone_.looks;
  }

  template <typename Work>
  static double mean_microseconds(int times, Work work) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) work(i);
    const std::chrono::duration<double, std::micro> spent =
        std::chrono::steady_clock::now() - begin;
    return spent.count() / times;
  }

  CountingZone zone_;
  Scheduler scheduler_;
  Instant now_ = moment("10:00");
  Plan plan_;
};

TEST_F(SchedulerScale, AnEventLooksAtItsJobOnly) {
  looks_of({JobChanged{dormant(7)}});
  const int one = zone_.looks;
  EXPECT_LE(one, 5);
  EXPECT_EQ(looks_of({}), 0);
  EXPECT_EQ(looks_of({JobChanged{dormant(kJobs + 1)}}), one);
  EXPECT_EQ(looks_of({TriggerRequested{1, 7}}), 0);
  EXPECT_EQ(plan_.actions.size(), 1U);
  EXPECT_EQ(looks_of({TriggerRequested{2, 7}, TriggerWithdrawn{2}, TriggerWithdrawn{3}}), 0);
  EXPECT_EQ(looks_of({StartRefused{7}, WorkerFreed{}}), 0);
  EXPECT_EQ(looks_of({RunEnded{7}}), 0);
  EXPECT_EQ(looks_of({JobRemoved{7}}), 0);
  EXPECT_EQ(looks_of({GroupOpened{8, 3, {{1, {}}, {2, {1}}}}}), 0);
  EXPECT_EQ(looks_of({RunEnded{8, 1}}), 0);
}

TEST_F(SchedulerScale, AnEventTakesMicroseconds) {
  const double changed = mean_microseconds(
      2000, [this](int i) { looks_of({JobChanged{dormant(i * 37 % kJobs + 1)}}); });
  const double withdrawn = mean_microseconds(2000, [this](int i) {
    looks_of({TriggerRequested{i, i % kJobs + 1}, TriggerWithdrawn{i}});
  });
  // A walk over all jobs takes milliseconds.
  EXPECT_LT(changed, 500);
  EXPECT_LT(withdrawn, 500);
}

// With one worker for all of them, a tick costs as much with 50,000 waiting runs as with few.
TEST_F(SchedulerScale, AStartDoesNotTouchWhatWaits) {
  std::vector<Event> requests;
  for (JobId id = 1; id <= kJobs / 2; ++id) requests.emplace_back(TriggerRequested{id, id});
  looks_of(requests, 0);
  ASSERT_TRUE(plan_.actions.empty());
  JobId last = 0;
  const double start = mean_microseconds(2000, [this, &last](int) {
    std::vector<Event> ended;
    if (last != 0) ended.emplace_back(RunEnded{last});
    looks_of(ended, 1);
    ASSERT_EQ(plan_.actions.size(), 1U);
    const JobId started = std::get<Start>(plan_.actions.front()).job;
    EXPECT_EQ(started, last + 1);
    last = started;
  });
  EXPECT_LT(start, 500);
  EXPECT_LT(mean_microseconds(2000, [this](int) { scheduler_.waiting(10); }), 500);
  EXPECT_EQ(scheduler_.waiting(10).front().job, last + 1);
}

TEST_F(SchedulerScale, OnlyAStepBackLooksAtAllJobs) {
  zone_.looks = 0;
  scheduler_.tick(now_ - std::chrono::minutes{20}, {});
  EXPECT_GE(zone_.looks, kJobs);
  zone_.looks = 0;
  const Plan plan = scheduler_.tick(now_ + std::chrono::hours{4}, {});
  EXPECT_EQ(zone_.looks, 0);
  EXPECT_TRUE(plan.actions.empty());
}

}  // namespace
}  // namespace metrics_refresh::core::test
