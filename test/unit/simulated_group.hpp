// The plan of one group's run as the tables have it, as a model: members that wait for others, and
// what became of them.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "core/scheduler/scheduler.hpp"

namespace metrics_refresh::core::test {

class SimulatedGroup {
 public:
  enum class State { kPending, kSuccess, kClosed };
  struct Member {
    std::vector<int> waits_for;
    State state = State::kPending;
    bool begun = false;           // in the tables; a worker may have the start before
    std::optional<Instant> ends;  // of a start without an end, in real time
    bool refused = false;         // that start
  };

  RunId run = 0;
  std::map<int, Member> members;

  /// Members 1 to `count`, each waiting for some of those before it in a random order.
  static SimulatedGroup random(RunId run, int count, std::mt19937& random) {
    SimulatedGroup group;
    group.run = run;
    std::vector<int> numbers;
    for (int number = 1; number <= count; ++number) numbers.push_back(number);
    std::shuffle(numbers.begin(), numbers.end(), random);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      Member& member = group.members[numbers[i]];
      for (std::size_t other = 0; other < i; ++other)
        if (random() % 3 == 0) member.waits_for.push_back(numbers[other]);
    }
    return group;
  }

  std::vector<GroupMember> pending() const {
    std::vector<GroupMember> result;
    for (const auto& [number, member] : members)
      if (member.state == State::kPending && !member.begun)
        result.push_back({number, member.waits_for});
    return result;
  }

  bool may_start(int number) const {
    const auto found = members.find(number);
    if (found == members.end()) return false;
    const Member& member = found->second;
    if (member.state != State::kPending || member.ends) return false;
    return std::all_of(member.waits_for.begin(), member.waits_for.end(),
                       [this](int other) { return members.at(other).state == State::kSuccess; });
  }

  int under_way() const {
    return count([](const Member& member) { return member.ends.has_value(); });
  }

  int busy() const {
    return count([](const Member& member) { return member.ends && !member.refused; });
  }

  /// How many more may start while `max_parallel` run at once.
  int startable(int max_parallel) const {
    int result = 0;
    for (const auto& [number, member] : members) result += may_start(number) ? 1 : 0;
    return max_parallel == 0 ? result : std::clamp(max_parallel - under_way(), 0, result);
  }

  /// The member was cancelled, or failed; so those that wait for it are not started.
  void close(int number) {
    Member& closed = members.at(number);
    if (closed.state != State::kPending) return;
    closed.state = State::kClosed;
    for (auto& [other, member] : members)
      if (std::count(member.waits_for.begin(), member.waits_for.end(), number) != 0) close(other);
  }

  void close_all() {
    for (auto& [number, member] : members)
      if (!member.begun) close(number);
  }

  bool done() const {
    return std::all_of(members.begin(), members.end(), [](const auto& entry) {
      return entry.second.state != State::kPending && !entry.second.ends;
    });
  }

 private:
  template <typename Predicate>
  int count(Predicate wanted) const {
    return static_cast<int>(
        std::count_if(members.begin(), members.end(),
                      [&wanted](const auto& entry) { return wanted(entry.second); }));
  }
};

}  // namespace metrics_refresh::core::test
