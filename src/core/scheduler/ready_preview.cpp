#include "core/scheduler/ready_preview.hpp"

#include <deque>

// The preview repeats the decisions of ReadyRuns without changing it. It walks the queues by
// iterators and copies only the entries that can come next. So its cost depends on the number of
// starts that are shown, not on the number that wait.

namespace metrics_refresh::core {
namespace {

// The runs of one owner in a lane. From the owner's queue it has copied the first entry by rank and
// the first by turn that were not copied before. The next start is always one of these two.
class OwnerPreview {
 public:
  OwnerPreview(const ReadyQueue& queue, std::size_t most, const StartsOf& starts_of)
      : queue_(&queue),
        rank_(queue.by_rank().begin()),
        turn_(queue.by_turn().begin()),
        most_(most),
        starts_of_(&starts_of) {
    read_on();
  }

  bool empty() const { return by_rank_.empty(); }

  Start take(Instant now) {
    auto next = by_rank_.begin();
    // The same rule as in ReadyQueue::next().
    const Rank& oldest = by_turn_.begin()->second;
    if (now - oldest.place.since >= ReadyRuns::kOvertakeLimit)
      next = by_rank_.find({oldest, by_turn_.begin()->first.second});
    const auto [rank, member] = next->first;
    const Start start = next->second;
    by_rank_.erase(next);
    by_turn_.erase({rank.place.turn, member});
    read_on();
    return start;
  }

 private:
  static constexpr int kNoMember = -1;

  void read_on() {
    for (; rank_ != queue_->by_rank().end(); ++rank_)
      if (read(rank_->first.place.turn, rank_->second)) break;
    for (; turn_ != queue_->by_turn().end(); ++turn_)
      if (read(turn_->first, queue_->by_rank().at(turn_->second))) break;
  }

  // Copies the starts of an entry. Returns false if all of them have been taken already.
  bool read(std::uint64_t turn, JobId job) {
    if (read_.insert(turn).second) {
      for (auto& [rank, start] : (*starts_of_)(job, most_)) {
        const int member = start.member.value_or(kNoMember);
        by_turn_.emplace(std::pair(rank.place.turn, member), rank);
        by_rank_.emplace(std::pair(rank, member), std::move(start));
      }
      return true;
    }
    const auto at_hand = by_turn_.lower_bound({turn, kNoMember});
    return at_hand != by_turn_.end() && at_hand->first.first == turn;
  }

  const ReadyQueue* queue_;
  std::map<Rank, JobId>::const_iterator rank_;
  std::map<std::uint64_t, Rank>::const_iterator turn_;
  std::size_t most_;
  const StartsOf* starts_of_;
  std::set<std::uint64_t> read_;
  std::map<std::pair<Rank, int>, Start> by_rank_;
  std::map<std::pair<std::uint64_t, int>, Rank> by_turn_;
};

class LanePreview {
 public:
  LanePreview(const ReadyRuns::Lane& lane, std::size_t most, const StartsOf& starts_of)
      : lane_(&lane), round_(lane.round.begin()), most_(most), starts_of_(&starts_of) {}

  bool empty() const { return round_ == lane_->round.end() && again_.empty(); }

  // Takes one start of each owner in the order of the round, and then starts again with the owners
  // that have more.
  Start take(Instant now) {
    if (round_ != lane_->round.end()) {
      again_.emplace_back(lane_->owners.at((round_++)->second).queue, most_, *starts_of_);
    } else {
      again_.push_back(std::move(again_.front()));
      again_.pop_front();
    }
    OwnerPreview& owner = again_.back();
    const Start start = owner.take(now);
    if (owner.empty()) again_.pop_back();
    return start;
  }

 private:
  const ReadyRuns::Lane* lane_;
  std::set<std::pair<std::uint64_t, OwnerId>>::const_iterator round_;
  std::deque<OwnerPreview> again_;
  std::size_t most_;
  const StartsOf* starts_of_;
};

}  // namespace

std::vector<Start> preview(const ReadyRuns& ready, std::size_t most, Instant now,
                           const StartsOf& starts_of) {
  LanePreview urgent(ready.urgent(), most, starts_of);
  LanePreview ordinary(ready.ordinary(), most, starts_of);
  std::vector<Start> starts;
  int in_a_row = ready.urgent_in_a_row();
  while (starts.size() < most && !(urgent.empty() && ordinary.empty())) {
    const bool is_urgent =
        ordinary.empty() || (!urgent.empty() && in_a_row < ReadyRuns::kUrgentInARow);
    in_a_row = is_urgent ? in_a_row + 1 : 0;
    starts.push_back((is_urgent ? urgent : ordinary).take(now));
  }
  return starts;
}

}  // namespace metrics_refresh::core
