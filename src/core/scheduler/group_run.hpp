// The run of a group, after it was planned: which members are pending, ready and under way. It says
// which may start next; whether there is a worker for it, and how the group ranks, is the
// scheduler's business.
//
//   waiting --all that it waits for succeeded--> ready --take--> under way --end--> gone
//      |                                           ^                |
//      +--one failed--> gone                       +-----refuse-----+
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/scheduler/scheduler_events.hpp"

namespace metrics_refresh::core {

/// Since when something waits for a worker. Turns count up, so that equal times have an order.
struct Place {
  Instant due;
  std::uint64_t turn = 0;
  Instant since;  // it waits in fact; a due time may have passed long before

  bool operator==(const Place& other) const noexcept {
    return due == other.due && turn == other.turn && since == other.since;
  }

  /// After a step of the clock: nothing waits since the future.
  void limit(Instant now) {
    due = std::min(due, now);
    since = std::min(since, now);
  }
};

class GroupRun {
 public:
  struct Ready {
    int member;
    Place place;
  };

  /// Takes in what the tables say; members that may start and could not before get `place`.
  void plan(RunId run, const std::vector<GroupMember>& pending, Place place);
  /// A member is under way already.
  void adopt(int member);
  /// Forgets the members that are not under way. Of those under way a refused start is not
  /// repeated.
  void close();

  /// The ready members, by turn, then number: at most `most`, and no more than may start while
  /// `max_parallel` (0: no limit) run at once.
  std::vector<Ready> ready(std::size_t most, int max_parallel) const;
  /// The first of these is under way from now on. REQUIRES: there is one.
  void take();

  /// These do nothing where the member is not under way.
  void end(int member, bool success, Place place);
  void refuse(int member, Place place);

  /// After a step of the clock.
  void limit_places(Instant now);

  bool done() const noexcept { return members_.empty(); }
  RunId run() const noexcept { return run_; }

 private:
  using Key = std::pair<std::uint64_t, int>;  // turn and number
  struct Member {
    int waits = 0;                // for so many others
    std::vector<int> dependents;  // those that wait for it; some may be gone
    bool under_way = false;
    bool listed = true;          // as pending: a refused start is repeated
    std::optional<Place> place;  // once ready
  };
  using Members = std::map<int, Member>;

  void count_dependencies(const std::vector<GroupMember>& pending);
  void make_ready(int number, Member& member, Place place);
  void drop_dependents(const Member& failed);

  RunId run_ = 0;
  Members members_;  // that are pending or under way
  std::map<Key, Place> ready_;
  int under_way_ = 0;
};

}  // namespace metrics_refresh::core
