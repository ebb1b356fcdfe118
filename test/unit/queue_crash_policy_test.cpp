#include "core/queue/crash_policy.hpp"

#include <gtest/gtest.h>

namespace metrics_refresh::core::queue {
namespace {

using Fate = AfterCrash::Fate;

TEST(CrashPolicyTest, CountsTheAttempt) {
  const AfterCrash after = after_crash({7, 1, 5, 0, false}, 3);
  EXPECT_EQ(after.fate, Fate::kSuspect);
  EXPECT_EQ(after.attempts, 2);
  EXPECT_EQ(after.crashes, 0);
}

TEST(CrashPolicyTest, OnlyCrashesAloneCountAgainstAJob) {
  EXPECT_EQ(after_crash({7, 1, 5, 1, true}, 3).crashes, 2);
  EXPECT_EQ(after_crash({7, 1, 5, 1, true}, 3).fate, Fate::kSuspect);
  EXPECT_EQ(after_crash({7, 1, 5, 2, true}, 3).fate, Fate::kCrashes);
  EXPECT_EQ(after_crash({7, 1, 5, 2, false}, 3).fate, Fate::kSuspect);
  EXPECT_EQ(after_crash({7, 0, 5, 0, true}, 1).fate, Fate::kCrashes);
}

TEST(CrashPolicyTest, TheLastAttemptIsTheLast) {
  EXPECT_EQ(after_crash({7, 4, 5, 0, false}, 3).fate, Fate::kNoAttempts);
  EXPECT_EQ(after_crash({7, 3, 5, 0, false}, 3).fate, Fate::kSuspect);
  // The crashes are the better reason.
  EXPECT_EQ(after_crash({7, 4, 5, 2, true}, 3).fate, Fate::kCrashes);
}

TEST(CrashPolicyTest, ACrasherEndsAndItsNeighboursPass) {
  // Four jobs run when the first of them crashes the server, and it does so each time.
  CrashedJob jobs[4];
  for (int i = 0; i < 4; ++i) jobs[i] = {i + 1, 0, 5, 0, false};
  int crashes = 1;
  AfterCrash after = after_crash(jobs[0], 3);
  for (int i = 1; i < 4; ++i) EXPECT_EQ(after_crash(jobs[i], 3).fate, Fate::kSuspect);
  while (after.fate == Fate::kSuspect) {
    after = after_crash({1, after.attempts, 5, after.crashes, true}, 3);
    ++crashes;
  }
  EXPECT_EQ(after.fate, Fate::kCrashes);
  EXPECT_EQ(crashes, 4);
}

TEST(CrashPolicyTest, TriesTheLeastSuspiciousFirst) {
  const CrashedJob innocent = {9, 0, 5, 0, false}, older = {3, 0, 5, 0, false};
  const CrashedJob suspicious = {1, 0, 5, 0, true};
  EXPECT_TRUE(is_tried_before(innocent, suspicious));
  EXPECT_FALSE(is_tried_before(suspicious, innocent));
  EXPECT_TRUE(is_tried_before(older, innocent));
  EXPECT_FALSE(is_tried_before(older, older));
}

}  // namespace
}  // namespace metrics_refresh::core::queue
