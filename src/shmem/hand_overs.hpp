// Refreshes that a caller may request and must not perform in its own session. The caller posts the
// refresh here and waits. The scheduler stores it as a request, and a worker performs it in a
// session of the view's owner. A caller that gives up withdraws the refresh here, because its
// aborted transaction cannot write to a table.
//
//            post               accept                over
//   kFree ─────────▶ kPosted ─────────▶ kAccepted ──────────────▶ kFree
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

enum class HandOverState : std::uint8_t { kFree, kPosted, kAccepted, kRefused, kWithdrawn };

struct HandOver {
  HandOverState state;
  Oid database;
  std::int64_t run_id;  // chosen by the caller, from the sequence of runs
  std::int64_t job_id;  // the job of a group, or 0 to refresh a view
  Oid view;
  Oid requested_by;
  int strategy;  // a store::Strategy
  // The error, if the hand-over was refused with one. Otherwise 0 and an empty string.
  int sqlstate;
  char message[256];
};

/// A copy of a hand-over, with its index in the array.
struct PlacedHandOver {
  int place;
  HandOver hand_over;
};

// For the caller.

enum class Posting { kPosted, kNotServed, kTooManyOfRole, kFull };
struct PostedHandOver {
  Posting posting;
  int place = -1;  // if it was posted
};
/// Posts a hand-over and wakes the scheduler of its database. Fails if the database has no entry,
/// the role has `most` hand-overs already, or no place is free.
PostedHandOver post_hand_over(HandOver hand_over, int most);
/// Its current state. kFree if the place has another hand-over by now.
HandOver read_hand_over(int place, std::int64_t run_id);
/// Frees the place after the run has ended or was refused. REQUIRES: the caller has posted it.
void end_hand_over(int place, std::int64_t run_id) noexcept;
/// Ends the caller's wait, and makes the scheduler cancel the run.
void withdraw_hand_over(int place, std::int64_t run_id) noexcept;

// For the scheduler.

/// The hand-overs of the database that are posted or withdrawn.
std::vector<PlacedHandOver> open_hand_overs(Oid database);
/// Changes the state of one of them, and wakes the caller. Does nothing if the state is not that of
/// the copy any more.
void move_hand_over(const PlacedHandOver& from, HandOverState to);
/// Changes the state to kRefused, because of a permanent error.
void refuse_hand_over(PlacedHandOver from, int sqlstate, const std::string& message);

/// True if the database has posted or withdrawn hand-overs. REQUIRES: the lock is held.
bool has_open_hand_overs_locked(Oid database) noexcept;
/// Refuses all hand-overs of a database that no scheduler will serve. REQUIRES: the lock is held.
void refuse_hand_overs_locked(Oid database) noexcept;

}  // namespace metrics_refresh::shmem
