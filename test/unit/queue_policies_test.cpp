#include <gtest/gtest.h>

#include <array>
#include <chrono>

#include "core/queue/crash_policy.hpp"
#include "core/queue/segment_policy.hpp"

namespace metrics_refresh::core::queue::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Next = AfterCrash::Next;
using Kind = SegmentStep::Kind;

TEST(QueueCrashPolicy, LetsAnInnocentNeighborPass) {
  // It was never alone, so only its attempts count.
  for (int crashes = 0; crashes < 10; ++crashes)
    EXPECT_EQ(after_crash({1, 5, crashes, false}, 3).next, Next::kRunAlone);
  EXPECT_EQ(after_crash({1, 5, 2, false}, 3).crashes, 2);
}

TEST(QueueCrashPolicy, GivesUpAJobThatCrashesAlone) {
  int crashes = 0;
  for (int i = 0; i < 2; ++i) {
    const AfterCrash after = after_crash({i + 1, 100, crashes, true}, 3);
    EXPECT_EQ(after.next, Next::kRunAlone);
    crashes = after.crashes;
  }
  EXPECT_EQ(after_crash({3, 100, crashes, true}, 3).next, Next::kCrasher);
  EXPECT_EQ(after_crash({1, 100, 0, true}, 1).next, Next::kCrasher);
}

TEST(QueueCrashPolicy, CountsTheAttempt) {
  EXPECT_EQ(after_crash({5, 5, 0, false}, 3).next, Next::kTooManyTries);
  EXPECT_EQ(after_crash({4, 5, 0, false}, 3).next, Next::kRunAlone);
}

class SegmentPolicy : public testing::Test {
 protected:
  SegmentPolicy() {
    for (SegmentFacts& facts : segments) facts.since = now;
    segments[2] = {SegmentState::kCurrent, 8192, 10, 10, now, {}};
  }
  SegmentStep step() const { return next_segment_step(segments.data(), now); }
  void seal(std::uint8_t index, std::int64_t rows, std::int64_t live) {
    segments[index] = {SegmentState::kSealed, kSegmentBytes, rows, live, now, {}};
  }

  Instant now{minutes{1'000'000}};
  std::array<SegmentFacts, kSegments> segments;
};

TEST_F(SegmentPolicy, OpensTheNextFreeOneWhenTheCurrentOneIsLarge) {
  EXPECT_EQ(step().kind, Kind::kNothing);
  segments[2].bytes = kSegmentBytes;
  EXPECT_EQ(step().kind, Kind::kOpenNext);
  EXPECT_EQ(step().next, 3);
  seal(3, 1000, 100);
  seal(4, 1000, 100);
  EXPECT_EQ(step().next, 5);
  for (const std::uint8_t index : {5, 6, 7, 0, 1}) seal(index, 1000, 100);
  EXPECT_EQ(step().kind, Kind::kNothing);
  EXPECT_TRUE(step().is_full);
}

TEST_F(SegmentPolicy, OpensTheNextOneWhenTheCurrentOneIsOldAndEveryJobHasEnded) {
  segments[2].live = 0;
  EXPECT_EQ(step().kind, Kind::kNothing);
  EXPECT_EQ(step().look_again, now + kSegmentAge);
  now += kSegmentAge;
  EXPECT_EQ(step().kind, Kind::kOpenNext);
  segments[2].live = 1;
  EXPECT_EQ(step().kind, Kind::kNothing);
  EXPECT_EQ(step().look_again, std::nullopt);
  segments[2].live = segments[2].bytes = 0;
  EXPECT_EQ(step().kind, Kind::kNothing);
}

TEST_F(SegmentPolicy, EmptiesBeforeAnythingElse) {
  segments[2].bytes = kSegmentBytes;
  seal(0, 1000, 10);
  seal(1, 1000, 0);
  EXPECT_EQ(step().kind, Kind::kEmpty);
  EXPECT_EQ(step().segment, 1);
  segments[1].not_before = now + seconds{1};
  EXPECT_EQ(step().kind, Kind::kOpenNext);
  EXPECT_EQ(step().look_again, now + seconds{1});
}

TEST_F(SegmentPolicy, CopiesJobsThatAreFewOfTheRows) {
  seal(0, 1000, 500);
  EXPECT_EQ(step().look_again, std::nullopt);
  seal(0, 1000, 499);
  EXPECT_EQ(step().kind, Kind::kNothing);
  EXPECT_EQ(step().look_again, now + kSegmentAge);
  seal(1, 1000, 124);
  EXPECT_EQ(step().look_again, now + kStragglerAge);
  now += kStragglerAge;
  EXPECT_EQ(step().kind, Kind::kCopyForward);
  EXPECT_EQ(step().segment, 1);
  segments[1] = {};
  EXPECT_EQ(step().kind, Kind::kNothing);
  now += kSegmentAge - kStragglerAge;
  EXPECT_EQ(step().kind, Kind::kCopyForward);
  EXPECT_EQ(step().segment, 0);
}

}  // namespace
}  // namespace metrics_refresh::core::queue::test
