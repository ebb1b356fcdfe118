#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "core/queue/claimed_set.hpp"

namespace metrics_refresh::core::queue::test {
namespace {

class Claims {
 public:
  explicit Claims(std::uint32_t most) : memory_(ClaimedSet::bytes(most) / 8 + 1) {
    // The set is in the same piece of memory, as in shared memory.
    auto* place = reinterpret_cast<std::byte*>(memory_.data());
    set.place(place, most);
  }

 private:
  std::vector<std::uint64_t> memory_;

 public:
  ClaimedSet set;
};

TEST(QueueClaimedSet, RefusesMoreThanItsSize) {
  Claims claims(3);
  for (JobNumber job = 1; job <= 3; ++job) EXPECT_TRUE(claims.set.insert({job, 0, 0, 0}));
  EXPECT_FALSE(claims.set.insert({4, 0, 0, 0}));
  EXPECT_EQ(claims.set.find(4), nullptr);
  claims.set.erase(2);
  EXPECT_TRUE(claims.set.insert({4, 0, 0, 0}));
  EXPECT_EQ(claims.set.size(), 3U);
}

TEST(QueueClaimedSet, AgreesWithAMap) {
  std::mt19937 random(5);
  for (const std::uint32_t most : {1U, 2U, 7U, 64U, 1000U}) {
    Claims claims(most);
    std::map<JobNumber, Claim> expected;
    for (int step = 0; step < 20'000; ++step) {
      const JobNumber job = 1 + random() % (most * 2);
      Claim* const found = claims.set.find(job);
      ASSERT_EQ(found != nullptr, expected.count(job) != 0);
      if (found != nullptr) {
        EXPECT_EQ(found->lane, expected.at(job).lane);
        EXPECT_EQ(claims.set.erase(job).holder, expected.at(job).holder);
        expected.erase(job);
      } else {
        const Claim claim = {job, static_cast<std::uint32_t>(random()),
                             static_cast<std::uint16_t>(random()), 0};
        ASSERT_EQ(claims.set.insert(claim), expected.size() < most);
        if (expected.size() < most) expected[job] = claim;
      }
      ASSERT_EQ(claims.set.size(), expected.size());
    }
  }
}

}  // namespace
}  // namespace metrics_refresh::core::queue::test
