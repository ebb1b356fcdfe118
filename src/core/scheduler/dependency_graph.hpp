// The order in which the members of a group are refreshed. Materialized views can depend on each
// other in a circle, through a plain view that was replaced. The edges that close the circle are
// removed, so there is always an order.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <utility>
#include <vector>

namespace metrics_refresh::core {

struct RefreshOrder {
  std::vector<int> order;                   // all members, each after the members that it waits for
  std::vector<std::vector<int>> waits_for;  // by member: those that it waits for
};

/// `edges` are pairs (dependent, referenced) of members 0 to count - 1. Edges from a member to
/// itself and repeated edges are ignored. If several members can come next, the one with the lowest
/// number does. Takes O((members + edges) log members).
RefreshOrder refresh_order(int count, const std::vector<std::pair<int, int>>& edges);

}  // namespace metrics_refresh::core
