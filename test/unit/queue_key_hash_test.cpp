#include "core/queue/key_hash.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace metrics_refresh::core::queue {
namespace {

// The numbers are stored in tables: if this test fails, a change has made them worthless.
TEST(KeyHashTest, StaysTheSame) {
  EXPECT_EQ(key_hash(""), 0xa0130b7963aa9e70ULL);
  EXPECT_EQ(key_hash("a"), 0x0b95e1e0c5827766ULL);
  EXPECT_EQ(key_hash("customer 42"), 0x8bc4bb7237f45855ULL);
  EXPECT_EQ(key_hash("\xc3\xa4"), 0x3d6e4c32c72e8573ULL);
}

TEST(KeyHashTest, CountsEachByte) {
  using namespace std::string_view_literals;
  EXPECT_NE(key_hash("a\0b"sv), key_hash("a"sv));
  EXPECT_NE(key_hash("ab"), key_hash("ba"));
}

TEST(KeyHashTest, SpreadsSimilarKeysOverTheSharedLanes) {
  std::set<KeyHash> hashes;
  int lanes[kSharedLanes] = {};
  for (int i = 0; i < 4000; ++i) {
    const KeyHash hash = key_hash("customer " + std::to_string(i));
    EXPECT_NE(hash, 0U);
    hashes.insert(hash);
    ++lanes[hash % kSharedLanes];
  }
  EXPECT_EQ(hashes.size(), 4000U);
  for (const int count : lanes) EXPECT_NEAR(count, 1000, 200);
}

}  // namespace
}  // namespace metrics_refresh::core::queue
