#include "core/scheduler/dependency_graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace metrics_refresh::core::test {
namespace {

using Edges = std::vector<std::pair<int, int>>;
using Ints = std::vector<int>;

TEST(RefreshOrder, WithoutEdgesIsByNumber) {
  EXPECT_EQ(refresh_order(0, {}).order, Ints{});
  EXPECT_EQ(refresh_order(3, {}).order, (Ints{0, 1, 2}));
}

TEST(RefreshOrder, EachComesAfterThoseItWaitsFor) {
  const RefreshOrder found = refresh_order(4, {{0, 2}, {0, 3}, {2, 1}, {0, 2}, {1, 1}});
  EXPECT_EQ(found.order, (Ints{1, 2, 3, 0}));
  EXPECT_EQ(found.waits_for, (std::vector<Ints>{{2, 3}, {}, {1}, {}}));
}

TEST(RefreshOrder, OfThoseThatCouldComeNextTheLowerNumberDoes) {
  EXPECT_EQ(refresh_order(5, {{1, 4}, {3, 0}}).order, (Ints{0, 2, 3, 4, 1}));
}

TEST(RefreshOrder, LeavesOutTheEdgeThatClosesACircle) {
  const RefreshOrder found = refresh_order(3, {{0, 1}, {1, 2}, {2, 0}});
  EXPECT_EQ(found.order, (Ints{2, 1, 0}));
  EXPECT_EQ(found.waits_for, (std::vector<Ints>{{1}, {2}, {}}));
}

TEST(RefreshOrder, KeepsTheEdgesThatOnlyLeadToACircle) {
  const RefreshOrder found = refresh_order(3, {{0, 1}, {1, 2}, {2, 1}});
  EXPECT_EQ(found.waits_for, (std::vector<Ints>{{1}, {2}, {}}));
  EXPECT_EQ(found.order, (Ints{2, 1, 0}));
}

TEST(RefreshOrder, ALongChainIsNoTrouble) {
  constexpr int kCount = 200'000;
  Edges edges;
  for (int i = 0; i + 1 < kCount; ++i) edges.emplace_back(i, i + 1);
  edges.emplace_back(kCount - 1, 0);
  const RefreshOrder found = refresh_order(kCount, edges);
  EXPECT_EQ(found.order.front(), kCount - 1);
  EXPECT_EQ(found.order.back(), 0);
}

// Whether `to` can be reached from `from` along edges from dependent to referenced.
std::vector<std::vector<bool>> reachable(int count, const std::vector<Ints>& waits_for) {
  const auto n = static_cast<std::size_t>(count);
  std::vector<std::vector<bool>> reach(n, std::vector<bool>(n));
  for (std::size_t from = 0; from < n; ++from)
    for (const int to : waits_for[from]) reach[from][static_cast<std::size_t>(to)] = true;
  for (std::size_t via = 0; via < n; ++via)
    for (std::size_t from = 0; from < n; ++from)
      for (std::size_t to = 0; to < n; ++to)
        if (reach[from][via] && reach[via][to]) reach[from][to] = true;
  return reach;
}

TEST(RefreshOrderProperty, IsAnOrderThatKeepsEveryEdgeOutsideOfCircles) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const int count = static_cast<int>(random() % 12) + 1;
    Edges edges;
    for (auto left = random() % 30; left > 0; --left)
      edges.emplace_back(static_cast<int>(random() % static_cast<unsigned>(count)),
                         static_cast<int>(random() % static_cast<unsigned>(count)));
    const RefreshOrder found = refresh_order(count, edges);

    Ints sorted = found.order;
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(sorted.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) ASSERT_EQ(sorted[static_cast<std::size_t>(i)], i);

    std::vector<Ints> all(static_cast<std::size_t>(count));
    for (const auto& [dependent, referenced] : edges)
      if (dependent != referenced) all[static_cast<std::size_t>(dependent)].push_back(referenced);
    const auto reach = reachable(count, all);
    std::set<int> done;
    for (const int member : found.order) {
      const Ints& kept = found.waits_for[static_cast<std::size_t>(member)];
      ASSERT_TRUE(std::is_sorted(kept.begin(), kept.end()));
      for (const int other : kept) ASSERT_EQ(done.count(other), 1U);
      const std::set<int> given(all[static_cast<std::size_t>(member)].begin(),
                                all[static_cast<std::size_t>(member)].end());
      for (const int other : given) {
        const bool circle =
            reach[static_cast<std::size_t>(other)][static_cast<std::size_t>(member)];
        ASSERT_TRUE(circle || std::count(kept.begin(), kept.end(), other) == 1);
      }
      for (const int other : kept) ASSERT_EQ(given.count(other), 1U);
      done.insert(member);
    }
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
