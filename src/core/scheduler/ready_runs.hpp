// The runs that wait for a worker, and the choice of the next one. Owners take turns, so an owner
// does not wait longer because another owner has many jobs. This class only knows places and turns.
// The scheduler knows the runs and the workers.
//
// There are two lanes. Runs with a priority above 0, which only jobs of super admins have, wait in
// the urgent lane, and all others in the ordinary lane. If runs wait in both lanes, three of four
// starts are from the urgent lane, and one is from the ordinary lane. In a lane, owners take turns.
// An owner that is new, or comes back, joins at the end of the round. Among an owner's runs in a
// lane, the order is: higher priority, earlier due time, lower turn. But a run that has waited for
// kOvertakeLimit comes before all runs that became ready after it.
//
// Bound: assume that n owners wait in a lane. A run has waited for kOvertakeLimit, and m runs of
// its owner in this lane became ready before it. If its owner is below the limit, this run starts
// within 4 * n * (m + 1) starts. Each start takes at most the max_runtime of its run.
//
// That can be long, so there is another bound for owners without a running run. If such an owner
// has waited for Limits::yield_after, it comes before all others, in the order in which the waiting
// began. If no worker is free then, a run of an owner with several running runs yields
// (yielding.hpp). With k such owners, each of them starts within 2 * yield_after + k * the time
// that a canceled run needs to end. This holds as long as an owner that is not a superuser has two
// running runs. N owners that cooperate can occupy N workers for as long as their runs may take,
// but not more.
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

/// The order of the runs of one owner.
struct Rank {
  int priority = 0;
  Place place;
  bool operator<(const Rank& other) const noexcept;
  bool operator==(const Rank& other) const noexcept {
    return priority == other.priority && place == other.place;
  }
};

/// The runs of one owner in one lane. Each entry is a job, and has one place at a time.
class ReadyQueue {
 public:
  void insert(const Rank& rank, JobId job);
  void erase(const Rank& rank);
  bool empty() const noexcept { return by_rank_.empty(); }
  /// REQUIRES: the queue is not empty.
  std::pair<Rank, JobId> next(Instant now) const;

  const std::map<Rank, JobId>& by_rank() const noexcept { return by_rank_; }
  const std::map<std::uint64_t, Rank>& by_turn() const noexcept { return by_turn_; }

 private:
  std::map<Rank, JobId> by_rank_;
  std::map<std::uint64_t, Rank> by_turn_;
};

class ReadyRuns {
 public:
  /// The time for which a run can be overtaken by runs of the same owner with a higher priority.
  static constexpr Duration kOvertakeLimit = std::chrono::minutes(5);
  /// The number of urgent runs in a row that come before a run that waits in the ordinary lane.
  static constexpr int kUrgentInARow = 3;

  struct Waiting {  // the place of an entry
    OwnerId owner;
    Rank rank;
  };
  struct Next {
    JobId job;
    Waiting where;
    std::uint64_t turn;     // of the owner in the round
    Instant waiting_since;  // since when the owner has waited without a running run
  };

  void insert(JobId job, const Waiting& where);
  void erase(const Waiting& where);

  /// Returns the run that comes next. `may_start(owner, job)` returns whether the owner is below
  /// the limit; other owners are skipped. Takes O(log runs), plus the time for owners that are
  /// skipped. `yield_after` is that of Limits.
  template <typename MayStart>
  std::optional<Next> next(Instant now, Duration yield_after, MayStart&& may_start) const;

  /// Starts the run: the next turn belongs to another owner.
  void start(const Next& next, Instant now);
  /// The start was refused and the run waits again at its old place. This also restores the owner's
  /// place.
  void give_back(const Waiting& where, std::uint64_t turn, Instant waiting_since);

  /// Records that the owner has a running run. Call this in each tick.
  void set_has_run(OwnerId owner, Instant now);
  /// Returns whether an owner has waited without a running run for `yield_after` (0: never).
  bool has_starving(Instant now, Duration yield_after) const {
    return starving(now, yield_after) != nullptr;
  }
  /// Called after the clock was set back: no waiting can have begun in the future.
  void limit_waits(Instant now);

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  struct Owner {
    std::uint64_t turn;
    Instant waiting_since;  // since when it has waited without a running run
    ReadyQueue queue;
  };
  struct Lane {
    std::map<OwnerId, Owner> owners;
    std::set<std::pair<std::uint64_t, OwnerId>> round;
    std::set<std::pair<Instant, OwnerId>> waiting_since;
  };
  const Lane& urgent() const noexcept { return urgent_; }
  const Lane& ordinary() const noexcept { return ordinary_; }
  int urgent_in_a_row() const noexcept { return urgent_in_a_row_; }

 private:
  Lane& lane_of(const Rank& rank) { return rank.priority > 0 ? urgent_ : ordinary_; }
  template <typename MayStart>
  static std::optional<Next> next_of(const Lane& lane, Instant now, MayStart& may_start);
  static Next next_of_owner(const Lane& lane, OwnerId owner, Instant now);
  // The lane whose first owner has waited longest, if that is at least `yield_after`; else null.
  const Lane* starving(Instant now, Duration yield_after) const;
  static void set_turn(Lane& lane, OwnerId id, Owner& owner, std::uint64_t turn);
  static void set_waiting_since(Lane& lane, OwnerId id, Owner& owner, Instant since);

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
    const Next next = next_of_owner(*lane, lane->waiting_since.begin()->second, now);
    if (may_start(next.where.owner, next.job)) return next;
  }
  const bool ordinary_first = urgent_in_a_row_ >= kUrgentInARow;
  const auto first = next_of(ordinary_first ? ordinary_ : urgent_, now, may_start);
  return first ? first : next_of(ordinary_first ? urgent_ : ordinary_, now, may_start);
}

}  // namespace metrics_refresh::core
