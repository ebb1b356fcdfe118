// Refreshes that a caller may ask for and must not do in a session of his own: he posts one here
// and waits, the scheduler writes it down as a request, and a worker does it in a session of the
// view's owner's. A caller who gives up says so here, too, for his transaction can write nothing
// any more.
//
//            post               accept                over
//   kFree ─────────▶ kPosted ─────────▶ kTaken ─────────────────▶ kFree
//                       │ │ refuse          │
//                       │ └──▶ kRefused ────┼───── the caller ──▶ kFree
//                       └─────▶ kWithdrawn ◀┘ the caller gave up
//                                   └─── the scheduler canceled the run ──▶ kFree
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

inline constexpr int kMaxHandOvers = 64;  // in the cluster, at once
inline constexpr int kMaxHandOversPerRole = kMaxHandOvers / 8;

enum class HandOverState : std::uint8_t { kFree, kPosted, kTaken, kRefused, kWithdrawn };

struct HandOver {
  HandOverState state;
  Oid database;
  std::int64_t run_id;  // the caller's choice, from the sequence of runs
  std::int64_t job_id;  // of a group; 0: a view is to be refreshed
  Oid view;
  Oid requested_by;
  int strategy;  // a store::Strategy
  // Of one that is refused with an error, what it was; else 0 and nothing.
  int sqlstate;
  char message[256];
};

/// A copy with its place.
struct PlacedHandOver {
  int place;
  HandOver hand_over;
};

// For the caller.

enum class Posting { kPosted, kNotServed, kTooManyOfRole, kFull };
struct PostedHandOver {
  Posting posting;
  int place = -1;  // where it is posted
};
/// Posts it and wakes the scheduler of its database, unless that has none, or `most` places are
/// taken for the same role, or all.
PostedHandOver post_hand_over(HandOver hand_over, int most);
/// As it is now; kFree where the place is another's by now.
HandOver read_hand_over(int place, std::int64_t run_id);
/// The run is over, or was refused: the place is free. It is one's own: nobody else ends it.
void end_hand_over(int place, std::int64_t run_id) noexcept;
/// The caller does not wait any longer: the scheduler cancels the run.
void withdraw_hand_over(int place, std::int64_t run_id) noexcept;

// For the scheduler.

/// Those of the database that are posted or withdrawn.
std::vector<PlacedHandOver> open_hand_overs(Oid database);
/// Moves one of them on, unless the caller has done so meanwhile, and wakes the caller.
void move_hand_over(const PlacedHandOver& from, HandOverState to);
/// The same to kRefused, with the error that stands in its way and will not go away by itself.
void refuse_hand_over(PlacedHandOver from, int sqlstate, const std::string& message);

/// True where the database has some for a scheduler. REQUIRES: the lock is held.
bool has_open_hand_overs_locked(Oid database) noexcept;
/// Nobody serves the database any more. REQUIRES: the lock is held.
void refuse_hand_overs_locked(Oid database) noexcept;

}  // namespace metrics_refresh::shmem
