#include "core/scheduler/ready_runs.hpp"

#include <algorithm>
#include <tuple>

// Each lane has three indexes: the owners by id, by their turn in the round, and by the time since
// which they have waited without a run. They are kept in step by set_turn() and
// set_waiting_since(). A start takes the owner with the lowest turn and gives it a new, higher one.
// So the owner moves to the end of the round. A refused start is undone by give_back(), which
// restores the old turn.

namespace metrics_refresh::core {

bool Rank::operator<(const Rank& other) const noexcept {
  // Higher priorities come first; due times and turns ascend.
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
  // A run that waited for kOvertakeLimit comes before higher priorities, so it cannot starve.
  if (now - oldest.place.since >= ReadyRuns::kOvertakeLimit) return *by_rank_.find(oldest);
  return *by_rank_.begin();
}

void ReadyRuns::insert(JobId job, const Waiting& where) {
  Lane& lane = lane_of(where.rank);
  const auto [found, is_new] = lane.owners.try_emplace(where.owner);
  if (is_new) {
    // A new owner joins at the end of the round: owners must not gain by leaving and coming back.
    set_turn(lane, where.owner, found->second, ++last_turn_);
    set_waiting_since(lane, where.owner, found->second, where.rank.place.since);
  }
  found->second.queue.insert(where.rank, job);
  ++size_;
}

void ReadyRuns::erase(const Waiting& where) {
  Lane& lane = lane_of(where.rank);
  const auto found = lane.owners.find(where.owner);
  found->second.queue.erase(where.rank);
  --size_;
  // An owner without waiting runs leaves the round.
  if (!found->second.queue.empty()) return;
  lane.round.erase({found->second.turn, where.owner});
  lane.waiting_since.erase({found->second.waiting_since, where.owner});
  lane.owners.erase(found);
}

void ReadyRuns::start(const Next& next, Instant now) {
  Lane& lane = lane_of(next.where.rank);
  set_turn(lane, next.where.owner, lane.owners.at(next.where.owner), ++last_turn_);
  set_has_run(next.where.owner, now);
  // The count is limited, so that it cannot exceed the threshold while the other lane is empty.
  urgent_in_a_row_ = &lane == &urgent_ ? std::min(urgent_in_a_row_ + 1, kUrgentInARow) : 0;
  erase(next.where);
}

void ReadyRuns::give_back(const Waiting& where, std::uint64_t turn, Instant waiting_since) {
  Lane& lane = lane_of(where.rank);
  urgent_in_a_row_ = &lane == &urgent_ ? std::max(urgent_in_a_row_ - 1, 0) : kUrgentInARow;
  const auto found = lane.owners.find(where.owner);
  // All runs of the owner may have been removed in the meantime.
  if (found == lane.owners.end()) return;
  Owner& owner = found->second;
  if (waiting_since < owner.waiting_since)
    set_waiting_since(lane, where.owner, owner, waiting_since);
  if (turn < owner.turn) set_turn(lane, where.owner, owner, turn);
}

void ReadyRuns::set_has_run(OwnerId owner, Instant now) {
  for (Lane* const lane : {&urgent_, &ordinary_}) {
    const auto found = lane->owners.find(owner);
    if (found != lane->owners.end()) set_waiting_since(*lane, owner, found->second, now);
  }
}

void ReadyRuns::limit_waits(Instant now) {
  for (Lane* const lane : {&urgent_, &ordinary_})
    for (auto& [id, owner] : lane->owners)
      if (owner.waiting_since > now) set_waiting_since(*lane, id, owner, now);
}

ReadyRuns::Next ReadyRuns::next_of_owner(const Lane& lane, OwnerId id, Instant now) {
  const Owner& owner = lane.owners.at(id);
  const auto [rank, job] = owner.queue.next(now);
  return {job, {id, rank}, owner.turn, owner.waiting_since};
}

const ReadyRuns::Lane* ReadyRuns::starving(Instant now, Duration yield_after) const {
  if (yield_after <= Duration::zero()) return nullptr;
  const Lane* longest = nullptr;
  // The lane in which an owner has waited longest comes first.
  for (const Lane* const lane : {&urgent_, &ordinary_}) {
    if (lane->waiting_since.empty() || now - lane->waiting_since.begin()->first < yield_after)
      continue;
    if (longest == nullptr ||
        lane->waiting_since.begin()->first < longest->waiting_since.begin()->first)
      longest = lane;
  }
  return longest;
}

void ReadyRuns::set_turn(Lane& lane, OwnerId id, Owner& owner, std::uint64_t turn) {
  lane.round.erase({owner.turn, id});
  owner.turn = turn;
  lane.round.emplace(turn, id);
}

void ReadyRuns::set_waiting_since(Lane& lane, OwnerId id, Owner& owner, Instant since) {
  lane.waiting_since.erase({owner.waiting_since, id});
  owner.waiting_since = since;
  lane.waiting_since.emplace(since, id);
}

}  // namespace metrics_refresh::core
