// The runs that wait for a worker, and which of them goes next. Owners take turns, so that nobody
// waits longer because somebody else has many jobs. It knows places and turns; what a run is, and
// whether there is a worker for it, is the scheduler's business.
//
// There are two lanes. Runs of a priority above 0, which only super admins' jobs have, wait in the
// urgent lane; all others in the ordinary one. While runs wait in both, three of four starts are
// the urgent lane's and one is the ordinary lane's. In a lane owners take turns: one who comes
// anew, or comes back, joins at the end of the round. Within an owner's runs of a lane the higher
// priority goes first, then the earlier due time, then the one that became ready first; but one
// that has waited for kPatience goes before all that became ready after it.
//
// The bound: where n owners wait in a lane, and m runs of the same owner and lane became ready
// before a run that has waited for kPatience, it begins within 4 * n * (m + 1) starts, as long as
// its owner is below his limit. No start takes longer than its run's max_runtime.
//
// That may be long, so there is a bound for owners who have nothing under way. One who has waited
// so for Limits::yield_after goes before all others, in the order in which they began to wait.
// Where no worker is free then, a run of an owner who has several yields (yielding.hpp). So with k
// such owners each of them begins within 2 * yield_after + k * the time that a run takes to end
// when it is canceled, as long as an owner who is no superuser has two runs under way. N owners who
// act together can keep N workers for as long as their runs may take, and no more.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/scheduler/group_run.hpp"
#include "core/scheduler/scheduler_events.hpp"

namespace metrics_refresh::core {

/// What decides among the runs of one owner.
struct Rank {
  int priority = 0;
  Place place;
  bool operator<(const Rank& other) const noexcept;
  bool operator==(const Rank& other) const noexcept {
    return priority == other.priority && place == other.place;
  }
};

/// The runs of one owner in one lane; of an entry, which is a job, there is one place at a time.
class ReadyQueue {
 public:
  void insert(const Rank& rank, JobId job);
  void erase(const Rank& rank);
  bool empty() const noexcept { return by_rank_.empty(); }
  /// REQUIRES: not empty.
  std::pair<Rank, JobId> next(Instant now) const;

  const std::map<Rank, JobId>& by_rank() const noexcept { return by_rank_; }
  const std::map<std::uint64_t, Rank>& by_turn() const noexcept { return by_turn_; }

 private:
  std::map<Rank, JobId> by_rank_;
  std::map<std::uint64_t, Rank> by_turn_;
};

class ReadyRuns {
 public:
  /// So long a higher priority of the same owner goes before.
  static constexpr Duration kPatience = std::chrono::minutes(5);
  /// So many urgent runs in a row go before one that waits in the ordinary lane.
  static constexpr int kUrgentInARow = 3;

  struct Waiting {  // where an entry waits
    OwnerId owner;
    Rank rank;
  };
  struct Next {
    JobId job;
    Waiting where;
    std::uint64_t turn;  // of the owner in the round
    Instant without;     // since when the owner has waited without a run
  };

  void insert(JobId job, const Waiting& where);
  void erase(const Waiting& where);

  /// Which goes next. `may_start(owner, job)` says whether the owner is below his limit; those who
  /// are not are passed over. Takes O(log runs), and time by the owners that are passed over.
  /// `yield_after` as in Limits.
  template <typename MayStart>
  std::optional<Next> next(Instant now, Duration yield_after, MayStart&& may_start) const;

  /// It starts: the next turn is another owner's.
  void take(const Next& next, Instant now);
  /// The start was refused, and the run is back in its place: so is its owner.
  void give_back(const Waiting& where, std::uint64_t turn, Instant without);

  /// The owner has a run under way. To be said at each look.
  void note_under_way(OwnerId owner, Instant now);
  /// True where an owner has waited without a run for `yield_after` (0: never).
  bool has_starving(Instant now, Duration yield_after) const {
    return starving(now, yield_after) != nullptr;
  }
  /// After a step of the clock: nobody waits since the future.
  void limit_waits(Instant now);

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  struct Owner {
    std::uint64_t turn;
    Instant without;  // a run, since then
    ReadyQueue queue;
  };
  struct Lane {
    std::map<OwnerId, Owner> owners;
    std::set<std::pair<std::uint64_t, OwnerId>> round;
    std::set<std::pair<Instant, OwnerId>> without;
  };
  const Lane& urgent() const noexcept { return urgent_; }
  const Lane& ordinary() const noexcept { return ordinary_; }
  int urgent_in_a_row() const noexcept { return urgent_in_a_row_; }

 private:
  Lane& lane_of(const Rank& rank) { return rank.priority > 0 ? urgent_ : ordinary_; }
  template <typename MayStart>
  static std::optional<Next> next_of(const Lane& lane, Instant now, MayStart& may_start);
  static Next next_of_owner(const Lane& lane, OwnerId owner, Instant now);
  // The lane whose first has waited longest, where that is long enough.
  const Lane* starving(Instant now, Duration yield_after) const;
  static void set_turn(Lane& lane, OwnerId id, Owner& owner, std::uint64_t turn);
  static void set_without(Lane& lane, OwnerId id, Owner& owner, Instant since);

  Lane urgent_;
  Lane ordinary_;
  int urgent_in_a_row_ = 0;
  std::uint64_t last_turn_ = 0;
  std::size_t size_ = 0;
};

template <typename MayStart>
std::optional<ReadyRuns::Next> ReadyRuns::next_of(const Lane& lane, Instant now,
                                                  MayStart& may_start) {
  for (const auto& [turn, owner] : lane.round) {
    const Next next = next_of_owner(lane, owner, now);
    if (may_start(owner, next.job)) return next;
  }
  return std::nullopt;
}

template <typename MayStart>
std::optional<ReadyRuns::Next> ReadyRuns::next(Instant now, Duration yield_after,
                                               MayStart&& may_start) const {
  if (const Lane* const lane = starving(now, yield_after)) {
    const Next next = next_of_owner(*lane, lane->without.begin()->second, now);
    if (may_start(next.where.owner, next.job)) return next;
  }
  const bool ordinary_first = urgent_in_a_row_ >= kUrgentInARow;
  const auto first = next_of(ordinary_first ? ordinary_ : urgent_, now, may_start);
  return first ? first : next_of(ordinary_first ? urgent_ : ordinary_, now, may_start);
}

}  // namespace metrics_refresh::core
