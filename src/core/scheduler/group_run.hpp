// The run of a group after it was planned: its members that are pending, ready or running. It
// decides which members may start next. The scheduler decides about workers and about the rank of
// the group.
//
//  waiting --all that it waits for succeeded--> ready --start-> running --end--> removed
//     |                                           ^               |
//     +--one failed--> removed                    +----refuse-----+
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

/// The time since which something waits for a worker. Turns increase, so that equal times have an
/// order.
struct Place {
  Instant due;
  std::uint64_t turn = 0;
  Instant since;  // when the waiting began; the due time may be long before

  bool operator==(const Place& other) const noexcept {
    return due == other.due && turn == other.turn && since == other.since;
  }

  /// Called after the clock was set back: no waiting can have begun in the future.
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

  /// Takes over the list of pending members. Members that become ready get `place`, unless they had
  /// one.
  void plan(RunId run, const std::vector<GroupMember>& pending, Place place);
  /// Records that a member is already running.
  void adopt(int member);
  /// Removes the members that are not running. If the start of a running one is refused, it is not
  /// repeated.
  void close();

  /// Returns the ready members in the order of turn and number. There are at most `most`, and no
  /// more than may start if `max_parallel` members (0: no limit) may run at once.
  std::vector<Ready> ready(std::size_t most, int max_parallel) const;
  /// Marks the first of these as running. REQUIRES: there is one.
  void start_next();

  /// These functions do nothing if the member is not running.
  void end(int member, bool success, Place place);
  void refuse(int member, Place place);

  /// Called after the clock was set back.
  void limit_places(Instant now);

  bool done() const noexcept { return members_.empty(); }
  RunId run() const noexcept { return run_; }

 private:
  using Key = std::pair<std::uint64_t, int>;  // turn and number
  struct Member {
    int waits = 0;                // number of members that it waits for
    std::vector<int> dependents;  // members that wait for it; some may be removed
    bool under_way = false;
    bool listed = true;          // as pending; if its start is refused, it is repeated
    std::optional<Place> place;  // set once it was ready
  };
  using Members = std::map<int, Member>;

  void count_dependencies(const std::vector<GroupMember>& pending);
  void make_ready(int number, Member& member, Place place);
  void drop_dependents(const Member& failed);

  RunId run_ = 0;
  Members members_;  // members that are pending or running
  std::map<Key, Place> ready_;
  int under_way_ = 0;
};

}  // namespace metrics_refresh::core
