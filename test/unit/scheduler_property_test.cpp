// Promises of core::Scheduler that hold whatever happens, in whatever order: random jobs, events,
// workers and clocks from fixed seeds. SimulatedWorkers checks most of them after every tick.

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/scheduler/scheduler.hpp"
#include "unit/simulated_workers.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct Rhythm {
  const char* schedule;
  Duration gap;  // the longest between two due times
};
using Rhythms = std::vector<Rhythm>;

const Rhythms kFast = {{"1 second", seconds{1}},    {"2 seconds", seconds{2}},
                       {"7 seconds", seconds{7}},   {"45 seconds", seconds{45}},
                       {"1 minute", minutes{1}},    {"* * * * *", minutes{1}},
                       {"*/2 * * * *", minutes{2}}, {"", Duration{0}}};
const Rhythms kSlow = {
    {"1 minute", minutes{1}},         {"90 seconds", seconds{90}},   {"*/15 * * * *", minutes{15}},
    {"5,20,50 * * * *", minutes{30}}, {"@hourly", hours{1}},         {"3 hours", hours{3}},
    {"30 2 * * *", hours{24}},        {"0 9-17 * * 1-5", hours{64}}, {"", Duration{0}}};

// What the storms together did: not too little.
struct Deeds {
  std::size_t requests = 0, slots = 0;
  int retries = 0, members = 0, groups = 0;

  void expect_many() const {
    EXPECT_GT(requests, 1000U);
    EXPECT_GT(slots, 10'000U);
    EXPECT_GT(retries, 200);
    EXPECT_GT(members, 2000);
    EXPECT_GT(groups, 500);
  }
};

class Storm {
 public:
  Storm(unsigned seed, const Rhythms& rhythms, Duration longest_run)
      : world_(seed), rhythms_(rhythms) {
    world_.longest_run = longest_run;
    world_.workers = world_.pick(1, 4);
    world_.counted = world_.chance(50);
    for (int count = world_.pick(1, 8); count > 0; --count) change();
  }

  void rage(int ticks) {
    while (ticks-- > 0 && !testing::Test::HasFailure()) {
      const Duration quiet = world_.quiet();
      const bool early = world_.chance(15);
      world_.pass(early ? world_.pick(Duration{0}, quiet)
                        : quiet + world_.pick(Duration{0}, milliseconds{50}));
      if (world_.chance(50)) world_.end_runs();
      while (world_.chance(12)) interfere();
      if (world_.chance(1)) step();
      world_.tick();
    }
  }

  /// The clock behaves, workers suffice, nobody interferes: what was asked for comes to its end.
  void calm_down() {
    world_.set_enabled(true);
    world_.workers = 100;
    world_.refusals = 0;
    const Instant begin = world_.real();
    const auto is_open = [&] {
      return !world_.pending().empty() || world_.has_open_group_since(begin);
    };
    for (int ticks = 0; ticks < 5000 && is_open(); ++ticks) {
      world_.tick();
      world_.pass(world_.quiet());
    }
    EXPECT_FALSE(is_open());
    EXPECT_EQ(world_.started, world_.accepted);
  }

  void count(Deeds& deeds) const {
    deeds.requests += world_.started.size();
    deeds.slots += world_.slots.size();
    deeds.retries += world_.retries;
    deeds.members += world_.members;
    deeds.groups += world_.groups;
  }

 private:
  void change() {
    const Rhythm& rhythm =
        rhythms_[static_cast<std::size_t>(world_.pick(0, static_cast<int>(rhythms_.size()) - 1))];
    Job changed = job(world_.pick(1, 9), rhythm.schedule);
    // Mostly as it is stored by who changes it, sometimes a history that the clock made wrong.
    changed.handled_until = world_.now();
    if (world_.chance(20)) changed.handled_until += world_.pick(-hours{6}, hours{6});
    changed.runnable = world_.chance(80);
    if (world_.chance(40)) changed = skipping(changed);
    if (world_.chance(40)) changed.on_overlap = OnOverlap::kQueueOne;
    changed.priority = world_.pick(-1, 1);
    changed.owner = static_cast<OwnerId>(world_.pick(0, 2));
    changed.max_parallel = world_.chance(50) ? world_.pick(1, 3) : 0;
    if (changed.timetable && world_.chance(30))
      changed.timetable->jitter = world_.pick(Duration{1}, seconds{20});
    world_.change(changed,
                  rhythm.gap + (changed.timetable ? changed.timetable->jitter : Duration{}),
                  world_.chance(40));
  }

  void interfere() {
    const int what = world_.pick(1, 100);
    const JobId id = world_.pick(1, 10);  // 10: unknown
    const bool known = world_.jobs.count(id) != 0;
    if (what <= 60)
      world_.request(id);
    else if (what <= 75 && !world_.pending().empty())
      world_.withdraw(world_.pending().begin()->first);
    else if (what <= 78)
      world_.withdraw(world_.pick(1, 1000));
    else if (what <= 82)
      world_.cancel_member(id);
    else if (what <= 88)
      change();
    else if (what <= 94 && known && !world_.jobs.at(id).removed)
      world_.remove(id);
    else if (what <= 97)
      world_.set_enabled(!world_.enabled() || world_.chance(30));
    else if (what <= 98)
      world_.restart();
  }

  void step() {
    const Duration small = Scheduler::kSmallStep, large = hours{6};
    const Duration size =
        world_.chance(50) ? world_.pick(Duration{1}, small) : world_.pick(small, large);
    world_.step(world_.chance(50) ? size : -size);
  }

  SimulatedWorkers world_;
  const Rhythms& rhythms_;
};

TEST(SchedulerProperty, KeepsItsPromisesWithFastJobs) {
  Deeds deeds;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed, kFast, seconds{5});
    storm.rage(1500);
    storm.calm_down();
    storm.count(deeds);
    if (HasFailure()) return;
  }
  deeds.expect_many();
}

TEST(SchedulerProperty, KeepsItsPromisesWithSlowJobs) {
  Deeds deeds;
  for (unsigned seed = 1001; seed <= 1060; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed, kSlow, minutes{20});
    storm.rage(1500);
    storm.calm_down();
    storm.count(deeds);
    if (HasFailure()) return;
  }
  deeds.expect_many();
}

constexpr Duration kLongestJitter = seconds{10};

// Where the clock only goes on, each due time is accounted for exactly once.
void expect_every_slot(unsigned seed, const Rhythms& rhythms, Duration longest_run, int workers) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  SimulatedWorkers world(seed);
  world.longest_run = longest_run;
  world.workers = workers;
  world.steady = true;
  world.refusals = workers > 8 ? 0 : 20;
  const Instant begin = world.now();
  JobId last = 0;
  for (const Rhythm& rhythm : rhythms) {
    Job next = job(++last, rhythm.schedule);
    if (world.chance(50)) next.on_overlap = OnOverlap::kQueueOne;
    if (next.timetable && world.chance(30))
      next.timetable->jitter = world.pick(Duration{1}, kLongestJitter);
    world.change(world.chance(50) ? skipping(next) : next, rhythm.gap);
  }
  const auto go_on = [&] {
    world.tick();
    if (world.workers <= 8 && world.chance(5)) world.request(world.pick(1, static_cast<int>(last)));
    world.pass(world.quiet() + world.pick(Duration{0}, milliseconds{50}));
  };
  for (int ticks = 0; ticks < 3000 && !testing::Test::HasFailure(); ++ticks) go_on();
  const Instant end = world.now();
  // The last of them may wait for its start, a worker, or the end of other runs.
  world.workers = 100;
  while (world.now() < end + kLongestJitter + 5 * longest_run + seconds{5}) go_on();

  std::multiset<std::pair<JobId, Instant>> expected;
  for (const auto& [id, model] : world.jobs) {
    if (!model.job.timetable) continue;
    auto due = model.job.timetable->next_after(begin);
    for (; due && *due <= end; due = model.job.timetable->next_after(*due))
      expected.emplace(id, *due);
  }
  std::multiset<std::pair<JobId, Instant>> found;
  for (const auto& slot : world.slots)
    if (slot.second <= end) found.insert(slot);
  for (const auto& [id, due] : expected)
    EXPECT_EQ(found.count({id, due}), 1U) << "job " << id << " due " << text_of(due);
  EXPECT_EQ(found.size(), expected.size());
}

TEST(SchedulerProperty, EveryDueTimeOfAnIdleJobIsStarted) {
  for (unsigned seed = 2001; seed <= 2010; ++seed) {
    expect_every_slot(seed, kFast, milliseconds{500}, 100);
    expect_every_slot(seed, kSlow, milliseconds{500}, 100);
  }
}

TEST(SchedulerProperty, EveryDueTimeOfABusyJobIsStartedOrMissed) {
  for (unsigned seed = 3001; seed <= 3010; ++seed) {
    expect_every_slot(seed, kFast, seconds{20}, 3);
    expect_every_slot(seed, kSlow, minutes{40}, 3);
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
