// The order in which the members of a group are refreshed. Materialized views can depend on each
// other in a circle (through a plain view that was replaced); then the edges that close the circle
// are left out, so an order always exists.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <utility>
#include <vector>

namespace metrics_refresh::core {

struct RefreshOrder {
  std::vector<int> order;                   // every member, each after those that it waits for
  std::vector<std::vector<int>> waits_for;  // by member: those directly before it, ascending
};

/// `edges` are pairs (dependent, referenced) of members 0 to count - 1; edges of a member to itself
/// and repeated ones are ignored. Of members that could come next the one with the lower number
/// does. Takes O((members + edges) log members).
RefreshOrder refresh_order(int count, const std::vector<std::pair<int, int>>& edges);

}  // namespace metrics_refresh::core
