#include "core/scheduler/group_run.hpp"

#include <algorithm>

// Each member counts the members that it waits for. If a member succeeds, the count of its
// dependents decreases, and a member with count 0 is ready. If a member fails, all its direct and
// indirect dependents are removed.
//
// plan() is called whenever the tables were read. It starts from the new list. Only the running
// members and the places of members that were ready before are kept.
//
// Example: members 1, 2 and 3, of which 3 waits for 1 and 2
//   plan: 1 and 2 are ready; end(1), end(2): 3 is ready; if 1 fails instead, 3 is removed

namespace metrics_refresh::core {

void GroupRun::plan(RunId run, const std::vector<GroupMember>& pending, Place place) {
  run_ = run;
  Members before = std::exchange(members_, {});
  ready_.clear();
  for (auto& [number, member] : before)
    if (member.under_way) members_[number].under_way = true;
  for (auto& [number, member] : members_) member.listed = false;
  for (const GroupMember& listed : pending) {
    Member& member = members_[listed.number];
    member.listed = true;
    const auto known = before.find(listed.number);
    if (known != before.end()) member.place = known->second.place;
  }
  count_dependencies(pending);
  for (auto& [number, member] : members_)
    if (!member.under_way && member.waits == 0)
      make_ready(number, member, member.place.value_or(place));
}

void GroupRun::count_dependencies(const std::vector<GroupMember>& pending) {
  for (const GroupMember& listed : pending) {
    Member& member = members_.at(listed.number);
    if (member.under_way) continue;
    for (const int other : listed.waits_for) {
      const auto found = members_.find(other);
      // A member that is not in the list has ended, so nothing waits for it.
      if (found == members_.end()) continue;
      found->second.dependents.push_back(listed.number);
      ++member.waits;
    }
  }
}

void GroupRun::adopt(int number) {
  Member& member = members_[number];
  if (member.under_way) return;
  // The scheduler that starts a member and the one that adopts it may differ: the member can be
  // ready.
  if (member.place) ready_.erase({member.place->turn, number});
  member.under_way = true;
  ++under_way_;
}

void GroupRun::close() {
  ready_.clear();
  for (auto it = members_.begin(); it != members_.end();) {
    Member& member = it->second;
    member.listed = false;
    member.dependents.clear();
    it = member.under_way ? std::next(it) : members_.erase(it);
  }
}

std::vector<GroupRun::Ready> GroupRun::ready(std::size_t most, int max_parallel) const {
  // Members that are running count for the limit of parallel members.
  if (max_parallel > 0)
    most = std::min(most, static_cast<std::size_t>(std::max(max_parallel - under_way_, 0)));
  std::vector<Ready> result;
  for (auto it = ready_.begin(); it != ready_.end() && result.size() < most; ++it)
    result.push_back({it->first.second, it->second});
  return result;
}

void GroupRun::start_next() {
  const auto first = ready_.begin();
  members_.at(first->first.second).under_way = true;
  ++under_way_;
  ready_.erase(first);
}

void GroupRun::end(int number, bool success, Place place) {
  const auto found = members_.find(number);
  if (found == members_.end() || !found->second.under_way) return;
  // It is moved out, because its dependents are needed after it was removed.
  const Member ended = std::move(found->second);
  members_.erase(found);
  --under_way_;
  if (!success) {
    drop_dependents(ended);
    return;
  }
  for (const int dependent : ended.dependents) {
    const auto waiting = members_.find(dependent);
    if (waiting == members_.end() || waiting->second.under_way) continue;
    if (--waiting->second.waits == 0) make_ready(dependent, waiting->second, place);
  }
}

void GroupRun::refuse(int number, Place place) {
  const auto found = members_.find(number);
  if (found == members_.end() || !found->second.under_way) return;
  Member& member = found->second;
  // The run of the group was closed in the meantime, so the start is not repeated.
  if (!member.listed) {
    end(number, true, place);
    return;
  }
  member.under_way = false;
  --under_way_;
  make_ready(number, member, member.place.value_or(place));
}

void GroupRun::limit_places(Instant now) {
  for (auto& [key, place] : ready_) place.limit(now);
  for (auto& [number, member] : members_)
    if (member.place) member.place->limit(now);
}

void GroupRun::make_ready(int number, Member& member, Place place) {
  member.place = place;
  ready_.emplace(Key{place.turn, number}, place);
}

void GroupRun::drop_dependents(const Member& failed) {
  // An explicit stack, because a chain of members can be long.
  std::vector<int> dependents = failed.dependents;
  while (!dependents.empty()) {
    const auto found = members_.find(dependents.back());
    dependents.pop_back();
    if (found == members_.end() || found->second.under_way) continue;
    dependents.insert(dependents.end(), found->second.dependents.begin(),
                      found->second.dependents.end());
    members_.erase(found);
  }
}

}  // namespace metrics_refresh::core
