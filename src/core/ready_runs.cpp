#include "core/ready_runs.hpp"

#include <algorithm>
#include <tuple>

namespace metrics_refresh::core {

bool Rank::operator<(const Rank& other) const noexcept {
  return std::tie(other.priority, place.due, place.turn) <
         std::tie(priority, other.place.due, other.place.turn);
}

void ReadyQueue::insert(const Rank& rank, JobId job) {
  by_rank_.emplace(rank, job);
  by_turn_.emplace(rank.place.turn, rank);
}

void ReadyQueue::erase(const Rank& rank) {
  by_rank_.erase(rank);
  by_turn_.erase(rank.place.turn);
}

std::pair<Rank, JobId> ReadyQueue::next(Instant now) const {
  const Rank& oldest = by_turn_.begin()->second;
  if (now - oldest.place.since >= ReadyRuns::kPatience) return *by_rank_.find(oldest);
  return *by_rank_.begin();
}

void ReadyRuns::insert(JobId job, const Waiting& where) {
  Lane& lane = lane_of(where.rank);
  const auto [found, is_new] = lane.owners.try_emplace(where.owner);
  if (is_new) {
    found->second.turn = ++last_turn_;
    lane.round.emplace(last_turn_, where.owner);
  }
  found->second.queue.insert(where.rank, job);
  ++size_;
}

void ReadyRuns::erase(const Waiting& where) {
  Lane& lane = lane_of(where.rank);
  const auto found = lane.owners.find(where.owner);
  found->second.queue.erase(where.rank);
  --size_;
  if (!found->second.queue.empty()) return;
  lane.round.erase({found->second.turn, where.owner});
  lane.owners.erase(found);
}

void ReadyRuns::take(const Next& next) {
  Lane& lane = lane_of(next.where.rank);
  Owner& owner = lane.owners.at(next.where.owner);
  lane.round.erase({owner.turn, next.where.owner});
  owner.turn = ++last_turn_;
  lane.round.emplace(owner.turn, next.where.owner);
  urgent_in_a_row_ = &lane == &urgent_ ? std::min(urgent_in_a_row_ + 1, kUrgentInARow) : 0;
  erase(next.where);
}

void ReadyRuns::give_back(const Waiting& where, std::uint64_t turn) {
  Lane& lane = lane_of(where.rank);
  urgent_in_a_row_ = &lane == &urgent_ ? std::max(urgent_in_a_row_ - 1, 0) : kUrgentInARow;
  const auto found = lane.owners.find(where.owner);
  if (found == lane.owners.end() || found->second.turn <= turn) return;
  lane.round.erase({found->second.turn, where.owner});
  found->second.turn = turn;
  lane.round.emplace(turn, where.owner);
}

}  // namespace metrics_refresh::core
