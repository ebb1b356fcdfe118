// Bites, reads, holds and memory of core::queue::ReadyWork, one case at a time.

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "unit/queue_fixture.hpp"

namespace metrics_refresh::core::queue::test {
namespace {

using Claimed = ReadyWork::Claimed;
using Found = ReadyWork::Found;
using Result = ReadyWork::Held::Result;
using Jobs = std::vector<JobNumber>;

TypeSettings biting(std::uint32_t bite) {
  TypeSettings settings = plain();
  settings.bite = bite;
  return settings;
}

Jobs waiting(const Bite& bite) {
  Jobs jobs;
  for (std::uint32_t i = bite.next; i < bite.count; ++i)
    if (bite.items[i].state == Item::State::kWaiting) jobs.push_back(bite.items[i].job);
  return jobs;
}

TEST(QueueReadyWork, ABiteHoldsJobsOfSeveralSpans) {
  Queue queue;
  queue.set_type(1, biting(5));
  const JobNumber first = queue.post(1, 2);
  const JobNumber second = queue.post(1, 7);
  ASSERT_EQ(queue.work.claim(kOwner, 0, queue.now), Claimed::kJobs);
  EXPECT_EQ(waiting(queue.work.bite(0)), (Jobs{first, first + 1, second, second + 1, second + 2}));
  EXPECT_EQ(queue.work.claims(), 5U);
}

TEST(QueueReadyWork, ABiteIsGivenBackWhenItsTimeIsOver) {
  Queue queue;
  TypeSettings settings = biting(5);
  settings.bite_time = std::chrono::milliseconds{2};
  queue.set_type(1, settings);
  const JobNumber first = queue.post(1, 6, 11);
  const JobNumber other = queue.post(1, 1, 22);
  EXPECT_EQ(queue.start(0), first);
  queue.pass(Duration{1999});
  EXPECT_EQ(queue.start(0), first + 1);
  queue.pass(Duration{1});
  EXPECT_EQ(queue.work.start_next(0, queue.now), nullptr);
  EXPECT_EQ(queue.work.bite(0).open, 2U);
  queue.end(first);
  queue.end(first + 1);
  EXPECT_EQ(queue.run_all(), (Jobs{other, first + 2, first + 3, first + 4, first + 5}));
}

TEST(QueueReadyWork, TheFirstJobOfABiteStartsInAnyCase) {
  Queue queue;
  TypeSettings settings = biting(5);
  settings.bite_time = Duration{0};
  queue.set_type(1, settings);
  const JobNumber first = queue.post(1, 3);
  EXPECT_EQ(queue.run_all(), (Jobs{first}));
  EXPECT_EQ(queue.run_all(), (Jobs{first + 1}));
  EXPECT_EQ(queue.run_all(), (Jobs{first + 2}));
}

TEST(QueueReadyWork, LimitsCutABite) {
  Queue queue;
  TypeSettings settings = biting(100);
  queue.set_type(1, settings);
  queue.post(1, 100, 11);
  ASSERT_EQ(queue.work.claim(kOwner, 0, queue.now), Claimed::kJobs);
  EXPECT_EQ(queue.work.bite(0).open, kMostInBite);
  queue.work.leave(0, queue.now);
  settings.concurrency = 9;
  queue.set_type(1, settings);
  queue.work.claim(kOwner, 0, queue.now);
  EXPECT_EQ(queue.work.bite(0).open, 9U);
  queue.work.leave(0, queue.now);
  settings.concurrency_per_key = 4;
  queue.set_type(1, settings);
  queue.work.claim(kOwner, 0, queue.now);
  EXPECT_EQ(queue.work.bite(0).open, 4U);
  queue.work.leave(0, queue.now);
  settings.rate_limit = 3;
  queue.set_type(1, settings);
  queue.work.claim(kOwner, 0, queue.now);
  EXPECT_EQ(queue.work.bite(0).open, 3U);
}

TEST(QueueReadyWork, AnIdleWorkerStealsTheBackHalf) {
  Queue queue;
  queue.set_type(1, biting(10));
  const JobNumber first = queue.post(1, 6);
  EXPECT_EQ(queue.start(0), first);
  EXPECT_EQ(queue.start(1), first + 3);
  EXPECT_EQ(waiting(queue.work.bite(0)), (Jobs{first + 1, first + 2}));
  EXPECT_EQ(waiting(queue.work.bite(1)), (Jobs{first + 4, first + 5}));
  EXPECT_EQ(queue.start(2), first + 2);
  EXPECT_EQ(queue.start(3), first + 5);
  queue.end(first + 2, 2);
  EXPECT_EQ(queue.start(2), first + 1);
  queue.end(first + 1, 2);
  EXPECT_EQ(queue.start(2), first + 4);
  queue.end(first + 4, 2);
  EXPECT_EQ(queue.start(2), 0);
  queue.end(first);
  queue.end(first + 3, 1);
  queue.end(first + 5, 3);
  EXPECT_EQ(queue.work.claims(), 0U);
  EXPECT_EQ(queue.work.free_lanes(), 16U);
}

TEST(QueueReadyWork, AStolenBiteKeepsItsTime) {
  Queue queue;
  queue.set_type(1, biting(10));
  const JobNumber first = queue.post(1, 6);
  EXPECT_EQ(queue.start(0), first);
  queue.pass(Duration{999});
  EXPECT_EQ(queue.start(1), first + 3);
  EXPECT_EQ(queue.work.start_next(1, queue.now)->job, first + 4);
  queue.pass(Duration{1});
  EXPECT_EQ(queue.work.start_next(1, queue.now), nullptr);
}

TEST(QueueReadyWork, NobodyStealsFromAnotherOwner) {
  Queue queue;
  queue.set_type(1, biting(10));
  queue.set_type(2, plain(8));
  queue.post(1, 6);
  queue.start(0);
  EXPECT_EQ(queue.start(1, 8), 0);
}

TEST(QueueReadyWork, AWorkerThatLeavesGivesItsJobsBackInOrder) {
  Queue queue;
  queue.set_type(1, biting(4));
  const JobNumber first = queue.post(1, 6);
  EXPECT_EQ(queue.start(0), first);
  queue.work.mark_committed(0, 0);
  EXPECT_EQ(queue.start(0), first + 1);
  queue.work.leave(0, queue.now);
  // The committed job has ended.
  EXPECT_EQ(queue.run_all(), (Jobs{first + 1, first + 2, first + 3, first + 4, first + 5}));
}

TEST(QueueReadyWork, AGivenBackJobComesFirst) {
  Queue queue;
  queue.set_type(1, plain());
  const JobNumber first = queue.post(1, 3);
  EXPECT_EQ(queue.start(0), first);
  EXPECT_EQ(queue.start(1), first + 1);
  queue.work.give_back(0, first, queue.now);
  EXPECT_EQ(queue.start(0), first);
}

// A row whose place is known is read without the index, so jobs with a place do not join.
TEST(QueueReadyWork, AJobKeepsThePlaceOfItsRow) {
  Queue queue;
  queue.set_type(1, plain());
  for (JobNumber job = 1; job <= 3; ++job)
    queue.work.post({1, 0, 0, 0, job, job, {9, static_cast<std::uint16_t>(job)}}, queue.now);
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t worker = 0; worker < 3; ++worker) {
      EXPECT_EQ(queue.start(worker), worker + 1);
      EXPECT_EQ(queue.work.bite(worker).items[0].tid.block, 9U);
      EXPECT_EQ(queue.work.bite(worker).items[0].tid.offset, worker + 1);
    }
    for (std::uint32_t worker = 3; worker-- > 0;) queue.work.leave(worker, queue.now);
  }
  // Without a place they join, and only the first number of a span may have one.
  queue.work.post({1, 0, 0, 0, 4, 4, {}}, queue.now);
  queue.work.post({1, 0, 0, 0, 5, 9, {}}, queue.now);
  EXPECT_EQ(queue.work.free_spans(), 61U);
  EXPECT_EQ(queue.run_all(), (Jobs{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(QueueReadyWork, AHintForAClaimedJobIsKeptUntilTheClaimEnds) {
  Queue queue;
  queue.set_type(1, plain());
  const JobNumber job = queue.post(1);
  EXPECT_EQ(queue.start(0), job);
  queue.work.post({1, 0, 0, 3, job, job, {}}, queue.now);
  EXPECT_EQ(queue.start(1), 0);
  queue.end(job);
  EXPECT_EQ(queue.start(1), job);
  EXPECT_EQ(queue.work.bite(1).items[0].segment, 3);
  queue.end(job, 1);
  EXPECT_EQ(queue.start(1), 0);
}

TEST(QueueReadyWork, ClaimLooksAtABoundedNumberOfClaimedJobs) {
  Queue queue({64, 16, 8, 16, 4, 4});
  queue.set_type(1, biting(64));
  const JobNumber first = queue.post(1, 640);
  for (std::uint32_t worker = 0; worker < 10; ++worker) queue.start(worker);
  queue.work.post({1, 0, 0, 0, first, first + 640, {}}, queue.now);
  EXPECT_EQ(queue.work.claim(kOwner, 10, queue.now), Claimed::kAgain);
  EXPECT_EQ(queue.work.claim(kOwner, 10, queue.now), Claimed::kAgain);
  ASSERT_EQ(queue.work.claim(kOwner, 10, queue.now), Claimed::kJobs);
  EXPECT_EQ(waiting(queue.work.bite(10)), (Jobs{first + 640}));
}

// Floods a lane with jobs that do not join until its last span is widened; returns the jobs.
Jobs flood(Queue& queue, TypeId type, int count, KeyHash key = 0) {
  Jobs jobs;
  for (int i = 0; i < count; ++i) jobs.push_back(queue.post(type, 1, key));
  return jobs;
}

TEST(QueueReadyWork, AFloodIsCoarsenedAndReadBack) {
  Queue queue({8, 4, 2, 2, 2, 4});
  queue.set_type(1, plain());
  const Jobs jobs = flood(queue, 1, 20);
  EXPECT_EQ(queue.work.free_spans(), 4U);
  EXPECT_EQ(queue.work.rereads_wanted(), 0U);
  Jobs run;
  while (run.size() < jobs.size()) {
    const Claimed claimed = queue.work.claim(kOwner, 0, queue.now);
    if (claimed == Claimed::kRead) {
      // Three rows at a time.
      const auto reading = queue.work.reading(0);
      EXPECT_EQ(reading.type, 1);
      EXPECT_EQ(reading.key, 0U);
      EXPECT_FALSE(reading.is_shared);
      std::vector<Found> found;
      for (const JobNumber job : jobs)
        if (job >= reading.first && job <= reading.last && found.size() < 3)
          found.push_back({job, 0, {1, 1}});
      const auto count = static_cast<std::uint32_t>(found.size());
      queue.work.put_back(0, found.data(), count, count < 3 ? reading.last : found.back().job,
                          queue.now);
      continue;
    }
    ASSERT_EQ(claimed, Claimed::kJobs);
    run.push_back(queue.work.start_next(0, queue.now)->job);
    queue.end(run.back());
  }
  EXPECT_EQ(run, jobs);
  EXPECT_EQ(queue.work.free_spans(), 8U);
}

TEST(QueueReadyWork, AFloodLeavesSpansToOthers) {
  Queue queue({16, 8, 4, 2, 2, 4});
  for (const TypeId type : {1, 2, 3}) queue.set_type(type, plain(static_cast<OwnerId>(type)));
  flood(queue, 1, 100);
  EXPECT_EQ(queue.work.free_spans(), 8U);
  flood(queue, 2, 100);
  EXPECT_EQ(queue.work.free_spans(), 4U);
  const Jobs few = flood(queue, 3, 2);
  EXPECT_EQ(queue.run_all(3), few);
  EXPECT_EQ(queue.work.rereads_wanted(), 0U);
}

TEST(QueueReadyWork, ASpanThatIsReadComesBackWhenItsWorkerLeaves) {
  Queue queue({4, 4, 2, 2, 2, 4});
  queue.set_type(1, plain());
  const Jobs jobs = flood(queue, 1, 9);
  EXPECT_EQ(queue.run(), jobs[0]);
  EXPECT_EQ(queue.run(), jobs[1]);
  ASSERT_EQ(queue.work.claim(kOwner, 0, queue.now), Claimed::kRead);
  const auto reading = queue.work.reading(0);
  EXPECT_EQ(reading.first, jobs[1] + 1);
  EXPECT_EQ(reading.last, jobs.back());
  EXPECT_EQ(queue.work.claim(kOwner, 1, queue.now), Claimed::kNothing);
  queue.work.leave(0, queue.now);
  ASSERT_EQ(queue.work.claim(kOwner, 1, queue.now), Claimed::kRead);
  EXPECT_EQ(queue.work.reading(1).first, reading.first);
  EXPECT_EQ(queue.work.reading(1).last, reading.last);
}

TEST(QueueReadyWork, WithoutASpanTheSegmentIsReadAgain) {
  Queue queue({1, 4, 3, 2, 2, 4});
  queue.set_type(1, plain());
  queue.set_type(2, plain());
  queue.post(1);
  queue.work.post({2, 0, 0, 5, 900, 900, {}}, queue.now);
  EXPECT_EQ(queue.work.rereads_wanted(), 1U << 5);
  queue.work.begin_reread(5);
  EXPECT_EQ(queue.work.rereads_wanted(), 0U);
  queue.work.abandon_rereads();
  EXPECT_EQ(queue.work.rereads_wanted(), 1U << 5);
  queue.work.begin_reread(5);
  queue.work.end_reread(5);
  queue.work.abandon_rereads();
  EXPECT_EQ(queue.work.rereads_wanted(), 0U);
}

// Keys without a lane share one. Their limit is that of one key, and their order stays.
TEST(QueueReadyWork, KeysShareALaneIfLanesAreShort) {
  Queue queue({64, 4, 2, 8, 2, 4});
  TypeSettings one = plain();
  one.concurrency_per_key = 1;
  queue.set_type(1, one);
  Jobs jobs;
  for (KeyHash key = 4; key <= 40; key += 4) jobs.push_back(queue.post(1, 1, key));
  EXPECT_EQ(queue.work.free_lanes(), 2U);
  std::set<JobNumber> running;
  for (std::uint32_t worker = 0; worker < 8; ++worker)
    if (const JobNumber job = queue.start(worker)) running.insert(job);
  EXPECT_EQ(running, (std::set<JobNumber>{jobs[0], jobs[1], jobs[2]}));
  // A key of the shared lane gets no lane of its own as long as the shared one is in use.
  queue.end(jobs[0], 0);
  queue.post(1, 1, 12);
  EXPECT_EQ(queue.start(0), 0);
}

TEST(QueueReadyWork, AHoldKeepsWorkersAway) {
  Queue queue;
  queue.set_type(1, biting(4));
  const JobNumber first = queue.post(1, 3);
  EXPECT_EQ(queue.work.hold(first + 1).result, Result::kHeld);
  EXPECT_EQ(queue.work.hold(first + 1).result, Result::kInUse);
  EXPECT_EQ(queue.start(0), first);
  const auto running = queue.work.hold(first);
  EXPECT_EQ(running.result, Result::kRunning);
  EXPECT_EQ(running.worker, 0U);
  // The job waits in the bite: it is cut out of it.
  EXPECT_EQ(queue.work.hold(first + 2).result, Result::kHeld);
  EXPECT_EQ(queue.work.claims(), 3U);
  queue.end(first);
  EXPECT_EQ(queue.start(0), 0);
  EXPECT_NE(queue.work.release(first + 1), 0);
  // Its hint went into the bite, so only the hold knows of it.
  EXPECT_EQ(queue.work.release(first + 2), 1);
  EXPECT_EQ(queue.work.claims(), 0U);
  EXPECT_EQ(queue.work.free_lanes(), 16U);
}

TEST(QueueReadyWork, AClaimFromOutsideCountsForTheLimits) {
  Queue queue;
  TypeSettings settings = plain();
  settings.concurrency = 2;
  queue.set_type(1, settings);
  const JobNumber first = queue.post(1, 4);
  EXPECT_EQ(queue.start(0), first);
  EXPECT_TRUE(queue.work.hand_over(0, first));
  EXPECT_TRUE(queue.work.is_outside(first));
  EXPECT_EQ(queue.work.hold(first).result, Result::kOutside);
  EXPECT_EQ(queue.start(0), first + 1);
  EXPECT_FALSE(queue.work.is_outside(first + 1));
  EXPECT_TRUE(queue.work.hand_over(0, first + 1));
  EXPECT_EQ(queue.start(0), 0);
  queue.work.give_back_outside(first, 0, queue.now);
  EXPECT_EQ(queue.start(0), first);
  queue.work.end_outside(first + 1, queue.now);
  EXPECT_EQ(queue.start(1), first + 2);
  EXPECT_EQ(queue.start(2), 0);
}

TEST(QueueReadyWork, ClaimsFromOutsideAreLimited) {
  Queue queue;
  queue.set_type(1, plain());
  const JobNumber first = queue.post(1, 5);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.work.hand_over(0, queue.start(0)));
  EXPECT_EQ(queue.start(0), first + 4);
  EXPECT_FALSE(queue.work.hand_over(0, first + 4));
  EXPECT_FALSE(queue.work.restore_outside({1, 0, 0, 0, 900, 900, {}}, queue.now));
  queue.work.end_outside(first, queue.now);
  EXPECT_TRUE(queue.work.hand_over(0, first + 4));
}

// After a restart, claims and starts are known before the settings of their type are.
TEST(QueueReadyWork, ClaimsAndStartsAreRestored) {
  Queue queue;
  TypeSettings settings = plain();
  settings.concurrency_per_key = 1;
  settings.rate_limit = 3;
  EXPECT_TRUE(queue.work.restore_outside({1, 11, 0, 2, 40, 40, {}}, queue.now));
  EXPECT_FALSE(queue.work.restore_outside({1, 11, 0, 2, 40, 40, {}}, queue.now));
  queue.set_type(1, settings);
  queue.work.book_starts(1, 1, queue.now);
  const JobNumber of_key = queue.post(1, 1, 11);
  const JobNumber other = queue.post(1, 1, 22);
  EXPECT_EQ(queue.start(0), other);
  EXPECT_EQ(queue.start(1), 0);
  queue.pass(std::chrono::seconds{2});
  queue.work.book_starts(1, 2, queue.now);
  EXPECT_EQ(queue.start(1), 0);
  queue.work.give_back_outside(40, 2, queue.now);
  EXPECT_EQ(queue.start(1), 40);
  queue.end(40, 1);
  EXPECT_EQ(queue.start(1), 0);
  queue.pass(std::chrono::seconds{2});
  EXPECT_EQ(queue.start(1), of_key);
  EXPECT_EQ(queue.work.bite(1).items[0].segment, 0);
}

TEST(QueueReadyWork, AHoldTellsTheSegmentsOfHints) {
  Queue queue;
  queue.set_type(1, plain());
  EXPECT_EQ(queue.work.hold(50).result, Result::kHeld);
  queue.work.post({1, 0, 0, 2, 50, 50, {}}, queue.now);
  queue.work.post({1, 0, 0, 5, 50, 50, {}}, queue.now);
  EXPECT_EQ(queue.start(0), 0);
  EXPECT_EQ(queue.work.release(50), 1U << 2 | 1U << 5);
}

TEST(QueueReadyWork, OneJobIsClaimedWhateverTheLimitsAre) {
  Queue queue;
  TypeSettings settings = plain();
  settings.concurrency = 1;
  settings.paused = true;
  queue.set_type(1, settings);
  const JobNumber first = queue.post(1, 2);
  EXPECT_EQ(queue.start(0), 0);
  EXPECT_TRUE(queue.work.claim_one({1, 0, 0, 0, first + 1, first + 1, {}}, 0, queue.now));
  EXPECT_FALSE(queue.work.claim_one({1, 0, 0, 0, first + 1, first + 1, {}}, 1, queue.now));
  EXPECT_EQ(queue.work.holder_of(first + 1), 0U);
  EXPECT_EQ(queue.work.running(1), 1U);
  EXPECT_EQ(queue.work.start_next(0, queue.now)->job, first + 1);
  settings.paused = false;
  queue.set_type(1, settings);
  EXPECT_EQ(queue.start(1), 0) << "it counts for the limit";
  queue.end(first + 1);
  EXPECT_EQ(queue.work.holder_of(first + 1), kNone);
  EXPECT_EQ(queue.run_all(), (std::vector<JobNumber>{first, first + 1}))
      << "its hint is still there";
}

TEST(QueueReadyWork, TheBiteOfATypeIsChanged) {
  Queue queue;
  queue.set_type(1, biting(4));
  queue.work.set_bite(1, 2);
  queue.work.set_bite(9, 2);
  queue.post(1, 6);
  EXPECT_FALSE(queue.work.can_steal(kOwner));
  queue.start(0);
  EXPECT_EQ(queue.work.bite(0).open, 2U);
  EXPECT_TRUE(queue.work.can_steal(kOwner));
  EXPECT_FALSE(queue.work.can_steal(kOwner + 1));
  EXPECT_EQ(queue.work.owner_of(1), kOwner);
  EXPECT_EQ(queue.work.owner_of(9), 0U);
}

TEST(QueueReadyWork, TheOldestTurnOfATypeIsThatOfItsLanesThatMayStart) {
  Queue queue;
  queue.set_type(1, plain());
  TypeSettings single = plain();
  single.concurrency = 1;
  queue.set_type(2, single);
  const Instant begin = queue.now;
  queue.post(1);
  queue.pass(std::chrono::seconds{5});
  queue.post(2);
  queue.pass(std::chrono::seconds{5});
  EXPECT_EQ(queue.work.oldest_turn_of(1, queue.now), begin);
  EXPECT_EQ(queue.work.oldest_turn_of(2, queue.now), begin + std::chrono::seconds{5});
  EXPECT_EQ(queue.work.oldest_turn_of(3, queue.now), Instant::max()) << "it is not known";
  TypeSettings paused = single;
  paused.paused = true;
  queue.set_type(2, paused);
  EXPECT_EQ(queue.work.oldest_turn_of(2, queue.now), Instant::max());
  // After the clock was set back, none waits since the future.
  EXPECT_EQ(queue.work.oldest_turn_of(1, begin - std::chrono::hours{1}),
            begin - std::chrono::hours{1});
  queue.start(0);
  EXPECT_EQ(queue.work.oldest_turn_of(1, queue.now), Instant::max()) << "it is claimed";
}

TEST(QueueReadyWork, HoldsAreLimited) {
  Queue queue({8, 4, 2, 1, 2, 4});
  EXPECT_EQ(queue.work.hold(1).result, Result::kHeld);
  EXPECT_EQ(queue.work.hold(2).result, Result::kHeld);
  EXPECT_EQ(queue.work.hold(3).result, Result::kNoRoom);
  queue.work.release(1);
  EXPECT_EQ(queue.work.hold(3, false).result, Result::kNoRoom);
  EXPECT_EQ(queue.work.hold(3).result, Result::kHeld);
}

TEST(QueueReadyWork, AForgottenTypeLeavesNothing) {
  Queue queue({8, 4, 2, 4, 2, 4});
  queue.set_type(1, plain());
  queue.set_type(2, plain());
  EXPECT_FALSE(queue.work.set_type(3, plain(), queue.now));
  const Jobs jobs = flood(queue, 1, 20, 11);
  EXPECT_EQ(queue.start(0), jobs[0]);
  for (std::uint32_t i = 1; i < 4; ++i) EXPECT_EQ(queue.run(1), jobs[i]);
  ASSERT_EQ(queue.work.claim(kOwner, 1, queue.now), Claimed::kRead);
  queue.work.forget_type(1, queue.now);
  EXPECT_EQ(queue.start(2), 0);
  const Found found = {jobs[5], 11, {}};
  queue.work.put_back(1, &found, 1, jobs[5], queue.now);
  queue.work.give_back(0, jobs[0], queue.now);
  EXPECT_EQ(queue.work.free_spans(), 8U);
  EXPECT_EQ(queue.work.free_lanes(), 4U);
  EXPECT_TRUE(queue.work.set_type(3, plain(), queue.now));
  // A type that is known by its jobs alone goes, too.
  queue.work.forget_type(3, queue.now);
  queue.post(4);
  queue.work.forget_type(4, queue.now);
  EXPECT_EQ(queue.work.free_spans(), 8U);
  EXPECT_TRUE(queue.work.set_type(5, plain(), queue.now));
}

TEST(QueueReadyWork, TheDefaultSizeIsBelowFiveMegabytes) {
  EXPECT_LT(ReadyWork::bytes({}), 5U << 20);
}

TEST(QueueReadyWork, ItStaysInItsMemory) {
  const ReadyWork::Sizes sizes = {8, 4, 2, 2, 2, 2};
  const std::size_t words = ReadyWork::bytes(sizes) / 8;
  constexpr std::uint64_t kMark = 0x5a5a5a5a5a5a5a5a;
  std::vector<std::uint64_t> memory(words + 8, kMark);
  ReadyWork& work = ReadyWork::make(memory.data() + 4, sizes);
  const Instant now{};
  for (TypeId type = 1; type <= 3; ++type) {
    work.set_type(type, plain(), now);
    for (JobNumber job = 1; job < 100; job += 2)
      work.post({type, static_cast<KeyHash>(job), 0, 0, job, job, {}}, now);
  }
  for (JobNumber job = 500; job < 510; ++job) work.hold(job);
  for (std::uint32_t worker = 0; worker < 2; ++worker) work.claim(kOwner, worker, now);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(memory[i], kMark);
    EXPECT_EQ(memory[words + 4 + i], kMark);
  }
}

}  // namespace
}  // namespace metrics_refresh::core::queue::test
