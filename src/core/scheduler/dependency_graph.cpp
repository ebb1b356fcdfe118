#include "core/scheduler/dependency_graph.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>

namespace metrics_refresh::core {
namespace {

// Two steps: first the edges that close circles are removed, then the members are sorted
// topologically by Kahn's algorithm. The queue is ordered by number, so the result does not depend
// on the order of the edges.
//
// Example: the edges (1, 0), (2, 1), (1, 2) form a circle of 1 and 2
//   the edge (2, 1) is removed: 1 waits for 0 and 2 -> order 0, 2, 1

using Lists = std::vector<std::vector<int>>;

std::size_t index(int member) { return static_cast<std::size_t>(member); }

Lists lists_of(int count, const std::vector<std::pair<int, int>>& edges) {
  // A view often reads another one several times, so edges can be repeated.
  Lists waits_for(index(count));
  for (const auto& [dependent, referenced] : edges)
    if (dependent != referenced) waits_for[index(dependent)].push_back(referenced);
  for (std::vector<int>& list : waits_for) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  return waits_for;
}

// Visits, depth first, the members that each member waits for, and removes every edge that leads
// back to a member on the current path. Exactly these edges close circles; an edge outside of a
// circle is never removed. The path is stored on the heap, because a chain of views can be too long
// for recursion.
class CycleRemover {
 public:
  explicit CycleRemover(Lists& waits_for) : waits_for_(waits_for), states_(waits_for.size()) {}

  void cut() {
    for (std::size_t member = 0; member < waits_for_.size(); ++member) {
      if (states_[member] == State::kNew) enter(member);
      while (!path_.empty()) step();
    }
  }

 private:
  enum class State : std::uint8_t { kNew, kOnPath, kDone };
  struct Step {
    std::size_t member;
    std::size_t looked_at;  // number of members that were visited of those that it waits for
    std::size_t remaining;
  };

  void enter(std::size_t member) {
    states_[member] = State::kOnPath;
    path_.push_back({member, 0, 0});
  }

  void step() {
    Step& top = path_.back();
    std::vector<int>& list = waits_for_[top.member];
    if (top.looked_at == list.size()) {
      list.resize(top.remaining);
      states_[top.member] = State::kDone;
      path_.pop_back();
      return;
    }
    const int other = list[top.looked_at++];
    if (states_[index(other)] == State::kOnPath) return;
    // The edges that stay are moved to the front of the list.
    list[top.remaining++] = other;
    if (states_[index(other)] == State::kNew) enter(index(other));
  }

  Lists& waits_for_;
  std::vector<State> states_;
  std::vector<Step> path_;
};

}  // namespace

RefreshOrder refresh_order(int count, const std::vector<std::pair<int, int>>& edges) {
  RefreshOrder result;
  result.waits_for = lists_of(count, edges);
  CycleRemover(result.waits_for).cut();

  Lists dependents(index(count));
  std::vector<std::size_t> missing(index(count));
  std::priority_queue<int, std::vector<int>, std::greater<>> next;
  for (int member = 0; member < count; ++member) {
    const std::vector<int>& list = result.waits_for[index(member)];
    missing[index(member)] = list.size();
    if (list.empty()) next.push(member);
    for (const int other : list) dependents[index(other)].push_back(member);
  }
  while (!next.empty()) {
    const int member = next.top();
    next.pop();
    result.order.push_back(member);
    for (const int dependent : dependents[index(member)])
      if (--missing[index(dependent)] == 0) next.push(dependent);
  }
  return result;
}

}  // namespace metrics_refresh::core
