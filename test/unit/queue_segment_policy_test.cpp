#include "core/queue/segment_policy.hpp"

#include <gtest/gtest.h>

namespace metrics_refresh::core::queue {
namespace {

using State = Segment::State;

const Instant kNow{std::chrono::hours{1000}};

Segment segment(State state, std::int64_t rows, std::int64_t live, Duration age) {
  return {state, rows * 128, rows, live, kNow - age};
}

SegmentRing ring(const Segment& current) {
  SegmentRing made;
  made.segments[0] = current;
  made.is_exact = true;
  return made;
}

constexpr Duration kYoung = std::chrono::minutes{1};
constexpr Duration kOld = std::chrono::minutes{11};

TEST(SegmentPolicyTest, AFullOneIsFollowedByTheNextFreeOne) {
  SegmentRing full = ring(segment(State::kCurrent, 600'000, 500'000, kYoung));
  EXPECT_EQ(segment_steps(full, kNow).next, 1);
  full.segments[1].state = full.segments[2].state = State::kSealed;
  full.segments[1].live = full.segments[1].rows = full.segments[2].live = full.segments[2].rows = 9;
  EXPECT_EQ(segment_steps(full, kNow).next, 3);
  full.is_exact = false;  // the size is known in any case
  EXPECT_EQ(segment_steps(full, kNow).next, 3);
}

TEST(SegmentPolicyTest, TheRingGoesOnAtItsBegin) {
  SegmentRing full;
  full.is_exact = true;
  full.segments[7] = segment(State::kCurrent, 600'000, 1, kYoung);
  EXPECT_EQ(segment_steps(full, kNow).next, 0);
}

TEST(SegmentPolicyTest, WithoutAFreeOneTheCurrentOneGrows) {
  SegmentRing full = ring(segment(State::kCurrent, 600'000, 500'000, kYoung));
  for (int i = 1; i < kSegments; ++i)
    full.segments[i] = segment(State::kSealed, 600'000, 500'000, kOld);
  const SegmentSteps steps = segment_steps(full, kNow);
  EXPECT_EQ(steps.next, -1);
  EXPECT_TRUE(steps.lacks_free);
  EXPECT_EQ(steps.to_empty, 0);
  EXPECT_EQ(steps.to_copy, -1) << "a backlog that waits is not copied again and again";
}

TEST(SegmentPolicyTest, AnIdleQueueGetsRidOfEndedJobs) {
  EXPECT_EQ(segment_steps(ring(segment(State::kCurrent, 100, 0, kOld)), kNow).next, 1);
  EXPECT_EQ(segment_steps(ring(segment(State::kCurrent, 100, 1, kOld)), kNow).next, -1);
  EXPECT_EQ(segment_steps(ring(segment(State::kCurrent, 0, 0, kOld)), kNow).next, -1);
  SegmentRing unknown = ring(segment(State::kCurrent, 100, 0, kOld));
  unknown.is_exact = false;
  EXPECT_EQ(segment_steps(unknown, kNow).next, -1);
}

TEST(SegmentPolicyTest, LooksAgainWhenTheCurrentOneGetsOld) {
  const SegmentSteps steps = segment_steps(ring(segment(State::kCurrent, 100, 0, kYoung)), kNow);
  EXPECT_EQ(steps.next, -1);
  EXPECT_EQ(steps.look_again, kNow + kOldSegment - kYoung);
  EXPECT_EQ(segment_steps(ring(segment(State::kCurrent, 0, 0, kYoung)), kNow).look_again,
            Instant::max());
}

TEST(SegmentPolicyTest, SealedOnesWithoutJobsAreEmptied) {
  SegmentRing sealed = ring(segment(State::kCurrent, 10, 10, kYoung));
  sealed.segments[3] = segment(State::kSealed, 500'000, 0, kYoung);
  sealed.segments[5] = segment(State::kSealed, 0, 0, kYoung);
  sealed.segments[6] = segment(State::kSealed, 500'000, 500'000, kYoung);
  EXPECT_EQ(segment_steps(sealed, kNow).to_empty, 1U << 3 | 1U << 5);
  sealed.is_exact = false;
  EXPECT_EQ(segment_steps(sealed, kNow).to_empty, 0);
}

TEST(SegmentPolicyTest, StragglersAreCopied) {
  SegmentRing sealed = ring(segment(State::kCurrent, 10, 10, kYoung));
  sealed.segments[3] = segment(State::kSealed, 800, 100, kYoung);
  EXPECT_EQ(segment_steps(sealed, kNow).to_copy, -1);
  EXPECT_EQ(segment_steps(sealed, kNow).look_again, kNow + kOldSegment - kYoung);
  sealed.segments[3].live = 99;
  EXPECT_EQ(segment_steps(sealed, kNow).to_copy, 3);
  sealed.segments[3] = segment(State::kSealed, 800, 399, kOld);
  EXPECT_EQ(segment_steps(sealed, kNow).to_copy, 3);
  sealed.segments[3].live = 400;
  EXPECT_EQ(segment_steps(sealed, kNow).to_copy, -1);
}

}  // namespace
}  // namespace metrics_refresh::core::queue
