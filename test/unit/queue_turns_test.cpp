// Turns and limits of core::queue::ReadyWork: one worker at a time, on a virtual clock.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "unit/queue_fixture.hpp"

namespace metrics_refresh::core::queue::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Jobs = std::vector<JobNumber>;

TEST(QueueTurns, JobsOfOneLaneStartInTheirOrder) {
  Queue queue;
  queue.set_type(1, plain());
  const JobNumber first = queue.post(1, 3);
  const JobNumber second = queue.post(1, 2);
  EXPECT_EQ(queue.run_all(), (Jobs{first, first + 1, first + 2, second, second + 1}));
  EXPECT_EQ(queue.work.free_spans(), 64U);
}

TEST(QueueTurns, AnUnknownTypeWaitsForItsSettings) {
  Queue queue;
  const auto posted = queue.work.post({1, 0, 0, 0, 5, 5, {}}, queue.now);
  EXPECT_FALSE(posted.is_known);
  EXPECT_EQ(queue.run(), 0);
  EXPECT_EQ(queue.work.next_owner(), 0U);
  queue.set_type(1, plain());
  EXPECT_EQ(queue.work.next_owner(), kOwner);
  EXPECT_EQ(queue.run(), 5);
}

// A flood of 9,000 jobs came first; of each two starts, one is of the other key.
TEST(QueueTurns, AFloodOfAKeyDelaysAnotherByOneJob) {
  Queue queue;
  queue.set_type(1, plain());
  queue.post(1, 9000, 11);
  for (int i = 0; i < 20; ++i) queue.run();
  const JobNumber other = queue.post(1, 1000, 22);
  for (JobNumber i = 0; i < 1000; ++i) {
    const JobNumber first = queue.run();
    const JobNumber second = queue.run();
    ASSERT_EQ(std::max(first, second), other + i);
  }
  EXPECT_EQ(queue.run_all().size(), 8000U - 20);
}

TEST(QueueTurns, AKeyThatComesLateWaitsForOneJob) {
  Queue queue;
  queue.set_type(1, plain());
  queue.post(1, 9000, 11);
  for (int i = 0; i < 100; ++i) {
    for (int k = 0; k < i % 4; ++k) queue.run();
    const JobNumber late = queue.post(1, 1, 22);
    const JobNumber first = queue.run();
    EXPECT_TRUE(first == late || queue.run() == late);
  }
}

// Four workers on virtual time. A key floods 9:1. Returns the longest wait of the other one.
Duration longest_wait(std::uint32_t bite, Duration shortest, Duration longest) {
  std::mt19937 random(3);
  Queue queue;
  TypeSettings settings = plain();
  settings.bite = bite;
  queue.set_type(1, settings);
  queue.post(1, 18'000, 11);
  const JobNumber flood_end = 18'000;
  std::map<JobNumber, Instant> posted;
  Duration wait{};
  std::multimap<Instant, std::uint32_t> free_at;
  std::map<std::uint32_t, JobNumber> running;
  for (std::uint32_t worker = 0; worker < 4; ++worker) free_at.emplace(queue.now, worker);
  Instant next_post = queue.now;
  while (posted.size() < 2000) {
    if (next_post <= free_at.begin()->first) {
      queue.now = next_post;
      posted[queue.post(1, 1, 22)] = queue.now;
      next_post += longest * (1 + random() % 4);  // not in bursts: those wait for themselves
      continue;
    }
    const std::uint32_t worker = free_at.begin()->second;
    queue.now = free_at.begin()->first;
    free_at.erase(free_at.begin());
    if (running[worker] != 0) queue.end(running[worker], worker);
    const Item* const next = queue.work.start_next(worker, queue.now);
    running[worker] = next != nullptr ? next->job : queue.start(worker);
    if (running[worker] > flood_end) wait = std::max(wait, queue.now - posted.at(running[worker]));
    const auto spread = static_cast<unsigned>((longest - shortest).count() + 1);
    free_at.emplace(queue.now + shortest + Duration{random() % spread}, worker);
  }
  return wait;
}

TEST(QueueTurns, AFloodDelaysAnotherKeyByOneDuration) {
  EXPECT_LE(longest_wait(1, milliseconds{5}, milliseconds{15}), milliseconds{15});
  // Short jobs are claimed in bites of one millisecond.
  EXPECT_LE(longest_wait(32, Duration{20}, Duration{60}), milliseconds{1} + Duration{60});
  // Jobs that are longer than they were when the bite was chosen end it.
  EXPECT_LE(longest_wait(32, milliseconds{5}, milliseconds{15}), milliseconds{15});
}

TEST(QueueTurns, TypesOfOneOwnerTakeTurns) {
  Queue queue;
  for (const TypeId type : {1, 2, 3}) queue.set_type(type, plain());
  const JobNumber flood = queue.post(1, 900);
  const JobNumber second = queue.post(2, 50);
  const JobNumber third = queue.post(3, 50);
  int of_flood = 0;
  for (int i = 0; i < 150; ++i) of_flood += queue.run() < flood + 900;
  EXPECT_EQ(of_flood, 50);
  EXPECT_LT(queue.run(), second);
  EXPECT_LT(second, third);
}

TEST(QueueTurns, OwnersTakeTurns) {
  Queue queue;
  std::map<OwnerId, int> served;
  for (const TypeId type : {1, 2, 3}) queue.set_type(type, plain(static_cast<OwnerId>(type)));
  queue.post(1, 900);
  queue.post(2, 50);
  queue.post(3, 50);
  for (int i = 0; i < 150; ++i) {
    const OwnerId owner = queue.work.next_owner();
    ++served[owner];
    ASSERT_NE(queue.run(0, owner), 0);
  }
  EXPECT_EQ(served, (std::map<OwnerId, int>{{1, 50}, {2, 50}, {3, 50}}));
  EXPECT_EQ(queue.work.next_owner(), 1U);
  EXPECT_FALSE(queue.work.has_work(2));
}

TEST(QueueTurns, PriorityNeverWorksBetweenOwners) {
  Queue queue;
  queue.set_type(1, plain(1));
  queue.set_type(2, plain(2));
  queue.post(1, 10, 0, 100);
  const JobNumber other = queue.post(2, 10, 0, -100);
  int of_other = 0;
  for (int i = 0; i < 10; ++i) of_other += queue.run(0, queue.work.next_owner()) >= other;
  EXPECT_EQ(of_other, 5);
}

TEST(QueueTurns, ASuspendedTypeStartsNothing) {
  Queue queue;
  queue.set_type(1, plain());
  queue.post(1, 3);
  const JobNumber running = queue.start();
  queue.work.suspend_type(1);
  EXPECT_EQ(queue.run(1), 0);
  queue.end(running);
  EXPECT_EQ(queue.run(1), 0);
  queue.post(1);
  EXPECT_EQ(queue.run(1), 0);
  queue.set_type(1, plain());
  EXPECT_EQ(queue.run_all().size(), 3U);
  queue.work.suspend_type(2);
  EXPECT_EQ(queue.work.owner_of(2), 0U);
}

TEST(QueueTurns, NothingIsStolenFromAStoppedType) {
  Queue queue;
  TypeSettings settings = plain();
  settings.bite = 8;
  settings.bite_time = std::chrono::hours{1};
  queue.set_type(1, settings);
  queue.post(1, 8);
  const JobNumber first = queue.start(0);
  EXPECT_TRUE(queue.work.can_steal(kOwner));
  queue.work.suspend_type(1);
  EXPECT_FALSE(queue.work.can_steal(kOwner));
  EXPECT_EQ(queue.start(1), 0);
  settings.paused = true;
  queue.set_type(1, settings);
  EXPECT_EQ(queue.start(1), 0);
  settings.paused = false;
  queue.set_type(1, settings);
  EXPECT_GT(queue.start(1), first);
}

TEST(QueueTurns, HigherPrioritiesComeFirst) {
  Queue queue;
  queue.set_type(1, plain());
  queue.set_type(2, plain());
  const JobNumber low = queue.post(1, 1, 0, -1);
  const JobNumber middle = queue.post(1, 1, 0, 0);
  const JobNumber high = queue.post(2, 1, 0, 5);
  EXPECT_EQ(queue.run_all(), (Jobs{high, middle, low}));
}

// Types that are owners of their own, as those whose jobs are claimed from outside.
struct Claimer {
  Queue queue;
  Claimer() {
    for (const TypeId type : {1, 2}) queue.set_type(type, plain(static_cast<OwnerId>(type)));
  }
  TypeId run() {
    TypeId next = 0;
    Instant turn = Instant::max();
    for (const TypeId type : {1, 2}) {
      const Instant of_type = queue.work.turn_among_owners(type, queue.now);
      if (of_type >= turn) continue;
      next = type;
      turn = of_type;
    }
    queue.pass(milliseconds{100});
    if (next == 0) return 0;
    EXPECT_NE(queue.run(0, static_cast<OwnerId>(next)), 0);
    return next;
  }
  int runs_of_second(int runs) {
    int count = 0;
    for (int i = 0; i < runs; ++i) count += run() == 2;
    return count;
  }
};

TEST(QueueTurns, OwnersOfOneTypeTakeTurnsWhateverTheirKeysAre) {
  Claimer claimer;
  for (KeyHash key = 1; key <= 8; ++key) claimer.queue.post(1, 20, key);
  claimer.queue.pass(minutes{1});
  claimer.queue.post(2, 20);
  EXPECT_EQ(claimer.runs_of_second(40), 20);
  EXPECT_EQ(claimer.runs_of_second(140), 0);
  EXPECT_EQ(claimer.run(), 0);
}

TEST(QueueTurns, PriorityAndWaitingCountBetweenOwnersOfOneType) {
  Claimer claimer;
  claimer.queue.post(1, 1000, 0, 0);
  claimer.queue.post(2, 1000, 0, -2);
  // 20 seconds of waiting are as good as two steps.
  EXPECT_EQ(claimer.runs_of_second(200), 0);
  EXPECT_EQ(claimer.runs_of_second(402), 2);
  claimer.queue.post(2, 5, 0, 1);
  EXPECT_EQ(claimer.runs_of_second(5), 5);
}

TEST(QueueTurns, APausedOwnerOfOneTypeHasNoTurn) {
  Claimer claimer;
  TypeSettings paused = plain(1);
  paused.paused = true;
  claimer.queue.set_type(1, paused);
  claimer.queue.post(1, 5);
  claimer.queue.post(2, 5);
  EXPECT_EQ(claimer.runs_of_second(6), 5);
}

// The age of a backlog does not count: it has its turns all the time.
TEST(QueueTurns, AnOldBacklogDoesNotDelayAHigherPriority) {
  Queue queue;
  queue.set_type(1, plain());
  queue.set_type(2, plain());
  const JobNumber backlog = queue.post(1, 100'000);
  for (int i = 0; i < 3600; ++i) {
    queue.pass(seconds{1});
    queue.run();
  }
  const JobNumber urgent = queue.post(2, 1, 0, 1);
  EXPECT_EQ(queue.run(), urgent);
  EXPECT_EQ(queue.run(), backlog + 3600);
}

// A flood of a higher priority gives each lane of the lower one a turn in 10 seconds a step.
TEST(QueueTurns, WaitingCountsAsPriority) {
  Queue queue;
  queue.set_type(1, plain());
  queue.post(1, 100'000, 0, 3);
  const JobNumber low = queue.post(1, 3, 44, 1);
  const Instant begin = queue.now;
  Jobs found;
  while (queue.now < begin + minutes{2}) {
    queue.pass(milliseconds{100});
    const JobNumber job = queue.run();
    if (job < low) continue;
    found.push_back(job);
    EXPECT_LE(queue.now, begin + found.size() * (2 * Turns::kStep + milliseconds{200}));
    EXPECT_GE(queue.now, begin + found.size() * 2 * Turns::kStep);
  }
  EXPECT_EQ(found, (Jobs{low, low + 1, low + 2}));
}

TEST(QueueTurns, TimeWithoutWorkIsNoWaiting) {
  Queue queue;
  queue.set_type(1, plain());
  queue.set_type(2, plain());
  const JobNumber running = queue.post(1, 1, 0, -1);
  EXPECT_EQ(queue.start(0), running);
  queue.pass(hours{1});
  const JobNumber low = queue.post(1, 1, 0, -1);
  const JobNumber high = queue.post(2, 1, 0, 0);
  EXPECT_EQ(queue.start(1), high);
  EXPECT_EQ(queue.start(2), low);
}

TEST(QueueTurns, ManyPrioritiesShareEightBands) {
  Queue queue({256, 128, 4, 1, 1, 1});
  queue.set_type(1, plain());
  std::multiset<JobNumber> posted;
  for (std::int16_t priority = -100; priority <= 100;
       priority = static_cast<std::int16_t>(priority + 4))
    posted.insert(queue.post(1, 1, 0, priority));
  const Jobs run = queue.run_all();
  EXPECT_EQ(std::multiset<JobNumber>(run.begin(), run.end()), posted);
  EXPECT_EQ(queue.work.free_lanes(), 128U);
}

TEST(QueueTurns, AClockThatWasSetBackDelaysNothing) {
  Queue queue;
  queue.set_type(1, plain());
  queue.post(1, 10, 0, 0);
  queue.run();
  queue.pass(-hours{10});
  const JobNumber high = queue.post(1, 1, 0, 1);
  const JobNumber low = queue.post(1, 1, 0, -1);
  EXPECT_EQ(queue.run(), high);
  for (int i = 0; i < 9; ++i) EXPECT_LT(queue.run(), high);
  EXPECT_EQ(queue.run(), low);
}

TEST(QueueTurns, TheConcurrencyOfATypeIsExact) {
  Queue queue;
  TypeSettings two = plain();
  two.concurrency = 2;
  queue.set_type(1, two);
  const JobNumber first = queue.post(1, 4);
  EXPECT_EQ(queue.start(0), first);
  EXPECT_EQ(queue.start(1), first + 1);
  EXPECT_EQ(queue.start(2), 0);
  EXPECT_FALSE(queue.work.has_work(kOwner));
  queue.end(first, 0);
  EXPECT_EQ(queue.start(2), first + 2);
  EXPECT_EQ(queue.start(3), 0);
  // Another type of the owner is not concerned.
  queue.set_type(2, plain());
  const JobNumber other = queue.post(2);
  EXPECT_EQ(queue.start(3), other);
}

TEST(QueueTurns, TheConcurrencyOfAKeyIsExactOverPriorities) {
  Queue queue;
  TypeSettings one = plain();
  one.concurrency_per_key = 1;
  queue.set_type(1, one);
  const JobNumber low = queue.post(1, 1, 11, 0);
  const JobNumber high = queue.post(1, 1, 11, 5);
  const JobNumber other = queue.post(1, 1, 22, 0);
  const JobNumber keyless = queue.post(1, 2, 0, -5);
  EXPECT_EQ(queue.start(0), high);
  EXPECT_EQ(queue.start(1), other);
  EXPECT_EQ(queue.start(2), keyless);
  EXPECT_EQ(queue.start(3), keyless + 1);
  queue.end(keyless, 2);
  EXPECT_EQ(queue.start(2), 0);
  queue.end(high, 0);
  EXPECT_EQ(queue.start(2), low);
}

TEST(QueueTurns, APausedTypeStartsNothing) {
  Queue queue;
  TypeSettings paused = plain();
  paused.paused = true;
  queue.set_type(1, plain());
  const JobNumber first = queue.post(1, 3);
  EXPECT_EQ(queue.run(), first);
  queue.set_type(1, paused);
  EXPECT_EQ(queue.run(), 0);
  queue.set_type(1, plain());
  EXPECT_EQ(queue.run(), first + 1);
}

TEST(QueueTurns, LimitsThatChangeHoldAtOnce) {
  Queue queue;
  TypeSettings limited = plain();
  queue.set_type(1, limited);
  queue.post(1, 2, 11);
  queue.post(1, 2, 22);
  EXPECT_NE(queue.start(0), 0);
  EXPECT_NE(queue.start(1), 0);
  limited.concurrency_per_key = 1;
  queue.set_type(1, limited);
  EXPECT_EQ(queue.start(2), 0);
  limited.concurrency_per_key = 2;
  limited.concurrency = 1;
  queue.set_type(1, limited);
  EXPECT_EQ(queue.start(2), 0);
  limited.concurrency = 3;
  queue.set_type(1, limited);
  EXPECT_NE(queue.start(2), 0);
  EXPECT_EQ(queue.start(3), 0);
}

TEST(QueueTurns, ATypeTakesItsJobsToAnotherOwner) {
  Queue queue;
  queue.set_type(1, plain(1));
  const JobNumber low = queue.post(1, 2, 11, 0);
  const JobNumber high = queue.post(1, 1, 11, 3);
  EXPECT_EQ(queue.start(0, 1), high);
  queue.set_type(1, plain(2));
  EXPECT_EQ(queue.start(1, 1), 0);
  EXPECT_EQ(queue.start(1, 2), low);
  queue.end(high, 0);
  queue.end(low, 1);
  EXPECT_EQ(queue.work.next_owner(), 2U);
  EXPECT_EQ(queue.run_all(2), (Jobs{low + 1}));
}

TEST(QueueTurns, ATypeThatLeavesItsOwnerFreesTheBands) {
  Queue queue({64, 64, 8, 4, 4, 4});
  queue.set_type(1, plain(1));
  queue.set_type(2, plain(1));
  for (std::int16_t priority = 0; priority < 8; ++priority) queue.post(2, 1, 0, priority);
  queue.set_type(2, plain(2));
  const JobNumber low = queue.post(1, 1, 11, 50);
  const JobNumber high = queue.post(1, 1, 22, 90);
  EXPECT_EQ(queue.run_all(1), (Jobs{high, low}));
  EXPECT_EQ(queue.run_all(2).size(), 8U);
  EXPECT_EQ(queue.work.free_lanes(), 64U);
}

// A job that was claimed in an earlier period starts now, and uses up the limit.
TEST(QueueTurns, AStartThatMovesToNowMakesItsTypeWait) {
  Queue queue;
  TypeSettings limited = plain();
  limited.rate_limit = 3;
  limited.bite = 2;
  limited.bite_time = hours{1};
  queue.set_type(1, limited);
  const JobNumber first = queue.post(1, 9);
  EXPECT_EQ(queue.start(0), first);
  queue.pass(milliseconds{1500});
  EXPECT_EQ(queue.start(1), first + 2);
  EXPECT_EQ(queue.start(0), first + 1);
  EXPECT_EQ(queue.start(1), first + 3);
  EXPECT_EQ(queue.work.claim(kOwner, 2, queue.now), ReadyWork::Claimed::kNothing);
  EXPECT_FALSE(queue.work.has_work(kOwner));
}

TEST(QueueTurns, ARateLimitHoldsStartsBackAndLetsThemGo) {
  Queue queue;
  TypeSettings limited = plain();
  limited.rate_limit = 3;
  limited.bite = 10;
  queue.set_type(1, limited);
  queue.post(1, 7);
  EXPECT_EQ(queue.run_all().size(), 3U);
  EXPECT_FALSE(queue.work.has_work(kOwner));
  queue.now = queue.work.rates_open_at() - Duration{1};
  EXPECT_FALSE(queue.work.open_rates(queue.now));
  EXPECT_EQ(queue.run(), 0);
  queue.pass(Duration{1});
  EXPECT_TRUE(queue.work.open_rates(queue.now));
  EXPECT_TRUE(queue.work.has_work(kOwner));
  EXPECT_EQ(queue.run_all().size(), 3U);
  queue.pass(-hours{3});
  EXPECT_EQ(queue.run(), 0);
  queue.pass(milliseconds{1100});
  EXPECT_EQ(queue.run_all().size(), 1U);
}

TEST(QueueTurns, AStartThatWasNotMadeCostsNoRate) {
  Queue queue;
  TypeSettings limited = plain();
  limited.rate_limit = 3;
  limited.bite = 3;
  queue.set_type(1, limited);
  const JobNumber first = queue.post(1, 6);
  EXPECT_EQ(queue.start(0), first);
  EXPECT_EQ(queue.work.bite(0).waiting, 2U);
  queue.work.leave(0, queue.now);
  // One start was made. Two may follow, and the first job is ready again.
  EXPECT_EQ(queue.run_all(), (Jobs{first, first + 1}));
}

// Bites that are claimed and started at random moments: the starts, not the claims, obey the rate.
TEST(QueueTurns, RandomStartsObeyTheRateInEveryPeriod) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Queue queue;
    TypeSettings limited = plain();
    limited.rate_limit = 1 + random() % 12;
    limited.rate_period = Duration{1000 + random() % 1'000'000};
    limited.bite = 1 + random() % 20;
    queue.set_type(1, limited);
    queue.post(1, 100'000);
    std::deque<Instant> starts;
    int made = 0;
    for (int step = 0; step < 20'000; ++step) {
      const std::uint32_t worker = random() % 4;
      if (random() % 3 == 0) queue.pass(Duration{random() % (limited.rate_period.count() / 4)});
      if (random() % 50 == 0) queue.work.leave(worker, queue.now);
      if (random() % 2 == 0 && queue.work.bite(worker).empty())
        queue.work.claim(kOwner, worker, queue.now);
      const Item* const item = queue.work.start_next(worker, queue.now);
      if (item == nullptr) continue;
      ++made;
      starts.push_back(queue.now);
      while (starts.front() <= queue.now - limited.rate_period) starts.pop_front();
      ASSERT_LE(starts.size(), limited.rate_limit);
      if (random() % 2 == 0)
        queue.end(item->job, worker);
      else
        queue.work.give_back(worker, item->job, queue.now);
    }
    EXPECT_GT(made, 500);
  }
}

}  // namespace
}  // namespace metrics_refresh::core::queue::test
