// The states of hand-overs, which hand_overs.hpp shows as a diagram.
//
// A place and a run number together identify a hand-over. A process with an old copy therefore
// cannot change the hand-over that has the place now. Both sides may act at the same time, so each
// transition compares the current state under the lock.
#include "shmem/hand_overs.hpp"

#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

bool is_open(const HandOver& hand_over) noexcept {
  return hand_over.state == HandOverState::kPosted || hand_over.state == HandOverState::kWithdrawn;
}

HandOver* own_locked(int place, std::int64_t run_id) noexcept {
  HandOver* const hand_over = &area()->hand_overs[place];
  const bool own = hand_over->state != HandOverState::kFree && hand_over->run_id == run_id;
  return own ? hand_over : nullptr;
}

}  // namespace

PostedHandOver post_hand_over(HandOver hand_over, int most) {
  return locked(LW_EXCLUSIVE, [&hand_over, most]() -> PostedHandOver {
    if (!is_known_locked(hand_over.database)) return {Posting::kNotServed};
    int of_role = 0;
    int free_place = -1;
    // All places are scanned even if a free one is found, to count those of the role.
    for (int i = kMaxHandOvers - 1; i >= 0; --i) {
      const HandOver& other = area()->hand_overs[i];
      if (other.state == HandOverState::kFree)
        free_place = i;
      else if (other.requested_by == hand_over.requested_by)
        ++of_role;
    }
    if (of_role >= most) return {Posting::kTooManyOfRole};
    if (free_place < 0) return {Posting::kFull};
    hand_over.state = HandOverState::kPosted;
    area()->hand_overs[free_place] = hand_over;
    wake_scheduler_locked(hand_over.database);
    return {Posting::kPosted, free_place};
  });
}

HandOver read_hand_over(int place, std::int64_t run_id) {
  return locked(LW_SHARED, [=] {
    const HandOver* const hand_over = own_locked(place, run_id);
    return hand_over == nullptr ? HandOver{} : *hand_over;
  });
}

void end_hand_over(int place, std::int64_t run_id) noexcept {
  LWLockAcquire(area()->lock, LW_EXCLUSIVE);
  if (HandOver* const hand_over = own_locked(place, run_id)) *hand_over = {};
  LWLockRelease(area()->lock);
}

void withdraw_hand_over(int place, std::int64_t run_id) noexcept {
  LWLockAcquire(area()->lock, LW_EXCLUSIVE);
  if (HandOver* const hand_over = own_locked(place, run_id)) {
    // A refused hand-over has no run, so there is nothing to cancel.
    if (hand_over->state == HandOverState::kRefused) {
      *hand_over = {};
    } else {
      hand_over->state = HandOverState::kWithdrawn;
      wake_scheduler_locked(hand_over->database);
    }
  }
  LWLockRelease(area()->lock);
}

std::vector<PlacedHandOver> open_hand_overs(Oid database) {
  std::vector<PlacedHandOver> open;
  open.reserve(kMaxHandOvers);  // no allocation under the lock
  locked(LW_SHARED, [&] {
    for (int i = 0; i < kMaxHandOvers; ++i) {
      const HandOver& hand_over = area()->hand_overs[i];
      if (hand_over.database == database && is_open(hand_over)) open.push_back({i, hand_over});
    }
  });
  return open;
}

void move_hand_over(const PlacedHandOver& from, HandOverState to) {
  locked(LW_EXCLUSIVE, [&] {
    HandOver* const hand_over = own_locked(from.place, from.hand_over.run_id);
    if (hand_over == nullptr || hand_over->state != from.hand_over.state) return;
    *hand_over = from.hand_over;
    hand_over->state = to;
    if (to == HandOverState::kFree) *hand_over = {};
  });
  announce_run_end();
}

void refuse_hand_over(PlacedHandOver from, int sqlstate, const std::string& message) {
  HandOver& refused = from.hand_over;
  const char* const text = message.c_str();
  const int length = static_cast<int>(message.size());
  // The cut must not split a multibyte character.
  const int cut_length =
      pg::call([=] { return pg_mbcliplen(text, length, sizeof refused.message - 1); });
  refused.sqlstate = sqlstate;
  strlcpy(refused.message, text, static_cast<std::size_t>(cut_length) + 1);
  move_hand_over(from, HandOverState::kRefused);
}

bool has_open_hand_overs_locked(Oid database) noexcept {
  for (int i = 0; i < kMaxHandOvers; ++i) {
    const HandOver& hand_over = area()->hand_overs[i];
    if (hand_over.database == database && is_open(hand_over)) return true;
  }
  return false;
}

void refuse_hand_overs_locked(Oid database) noexcept {
  Area* const shared = area();
  for (int i = 0; i < kMaxHandOvers; ++i) {
    HandOver& hand_over = shared->hand_overs[i];
    if (hand_over.state == HandOverState::kFree || hand_over.database != database) continue;
    // The caller of a withdrawn hand-over is gone, so the caller cannot free the place.
    if (hand_over.state == HandOverState::kWithdrawn)
      hand_over = {};
    else
      hand_over.state = HandOverState::kRefused;
  }
  ConditionVariableBroadcast(&shared->run_ended);
}

}  // namespace metrics_refresh::shmem
