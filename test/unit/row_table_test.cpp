#include "core/row_table.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace metrics_refresh::core {
namespace {

using Slots = std::vector<RowTable::Slot>;

std::size_t size_of(const RowTable& table) {
  std::size_t rows = 0;
  table.for_each([&rows](RowLocation) { ++rows; });
  return rows;
}

TEST(RowTable, TakesWhatWasPutAndNothingElse) {
  Slots slots(RowTable::slots_for(2));
  RowTable table(slots.data(), slots.size());
  ASSERT_TRUE(table.put({1, 2}, 7));
  ASSERT_TRUE(table.put({1, 3}, 0));
  EXPECT_EQ(size_of(table), 2U);
  EXPECT_EQ(table.take({2, 1}), std::nullopt);
  EXPECT_EQ(table.take({1, 3}), 0U);
  EXPECT_EQ(table.take({1, 3}), std::nullopt);
  EXPECT_EQ(table.take({1, 2}), 7U);
  EXPECT_EQ(size_of(table), 0U);
}

TEST(RowTable, SaysWhatItHas) {
  Slots slots(RowTable::slots_for(2));
  RowTable table(slots.data(), slots.size());
  ASSERT_TRUE(table.put({1, 2}, 7));
  EXPECT_TRUE(table.has({1, 2}));
  EXPECT_FALSE(table.has({1, 3}));
  ASSERT_TRUE(table.take({1, 2}));
  EXPECT_FALSE(table.has({1, 2}));
}

TEST(RowTable, WithoutSlotsHoldsNothing) {
  RowTable table(nullptr, 0);
  EXPECT_FALSE(table.has({1, 1}));
  EXPECT_FALSE(table.put({1, 1}, 1));
  EXPECT_EQ(table.take({1, 1}), std::nullopt);
}

TEST(RowTable, KeepsPlacesUpTo48Bits) {
  Slots slots(RowTable::slots_for(1));
  RowTable table(slots.data(), slots.size());
  const RowLocation last = (RowLocation{1} << 48) - 1;
  ASSERT_TRUE(table.put({~0ULL, ~0ULL}, last));
  EXPECT_EQ(table.take({~0ULL, ~0ULL}), last);
}

TEST(RowTable, HoldsWhatSlotsForPromisesThenRefusesAndStaysAsItWas) {
  std::mt19937_64 random(1);
  for (const std::size_t rows : {0U, 1U, 6U, 7U, 8U, 100U, 1000U}) {
    Slots slots(RowTable::slots_for(rows));
    RowTable table(slots.data(), slots.size());
    std::vector<RowHash> put;
    for (;;) {
      const RowHash hash = {random(), random()};
      if (!table.put(hash, put.size())) break;
      put.push_back(hash);
    }
    EXPECT_GE(put.size(), rows);
    EXPECT_EQ(size_of(table), put.size());
    for (std::size_t i = 0; i < put.size(); ++i) EXPECT_EQ(table.take(put[i]), i);
  }
}

// Every row that is put comes out exactly once, whatever hashes repeat and crowd together.
TEST(RowTable, IsAMultiset) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    const std::size_t rows = random() % 300;
    const std::uint64_t distinct = 1 + random() % 40;
    const auto some_hash = [&]() -> RowHash {
      const std::uint64_t n = random() % distinct;
      return {seed % 2 == 0 ? n : n << 60, n / 2};  // seed % 2 == 0: all want the first slot
    };
    Slots small(RowTable::slots_for(rows)), large(RowTable::slots_for(2 * rows));
    RowTable first(small.data(), small.size());
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::set<RowLocation>> model;
    for (std::size_t i = 0; i < rows; ++i) {
      const RowHash hash = some_hash();
      ASSERT_TRUE(first.put(hash, i));
      model[{hash.high, hash.low}].insert(i);
    }
    RowTable moved(large.data(), large.size());
    const bool moves = random() % 2 == 0;
    if (moves) {
      ASSERT_TRUE(moved.put_all(first));
    }
    RowTable& table = moves ? moved : first;
    EXPECT_EQ(size_of(table), rows);
    for (std::size_t i = 0; i < rows + 10; ++i) {
      const RowHash hash = some_hash();
      auto& places = model[{hash.high, hash.low}];
      const std::optional<RowLocation> place = table.take(hash);
      ASSERT_EQ(place.has_value(), !places.empty());
      if (place) {
        ASSERT_EQ(places.erase(*place), 1U);
      }
    }
    std::set<RowLocation> left, expected;
    table.for_each([&](RowLocation place) { EXPECT_TRUE(left.insert(place).second); });
    for (const auto& entry : model) expected.insert(entry.second.begin(), entry.second.end());
    EXPECT_EQ(left, expected);
    EXPECT_EQ(size_of(table), left.size());
  }
}

TEST(RowTable, RefusesToMoveWhereThereIsNoRoom) {
  Slots large(RowTable::slots_for(100)), small(RowTable::slots_for(10));
  RowTable from(large.data(), large.size()), to(small.data(), small.size());
  for (std::uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(from.put({i << 57, i}, i));
  EXPECT_FALSE(to.put_all(from));
}

// A view may consist of one row a million times. By chains it would take minutes.
TEST(RowTable, DuplicatesCostWhatOthersCost) {
  constexpr std::size_t kRows = 200'000;
  const auto cost = [](bool duplicates) {
    Slots slots(RowTable::slots_for(kRows));
    RowTable table(slots.data(), slots.size());
    std::mt19937_64 random(3);
    const RowHash same = {random(), random()};
    std::vector<RowHash> hashes;
    for (std::size_t i = 0; i < kRows; ++i)
      hashes.push_back(duplicates ? same : RowHash{random(), random()});
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < kRows; ++i) EXPECT_TRUE(table.put(hashes[i], i));
    for (std::size_t i = 0; i < kRows; ++i) EXPECT_TRUE(table.take(hashes[i]));
    return std::chrono::steady_clock::now() - began;
  };
  EXPECT_LT(cost(true), 20 * cost(false));
}

}  // namespace
}  // namespace metrics_refresh::core
