// Each hand-over is handled in a transaction of its own with a short lock_timeout.
//
// If a lock blocks one, it is tried again later, and the others are handled first. A permanent
// error refuses a posted hand-over. The scheduler may die between the commit and the change of the
// state in shared memory. The next scheduler then finds the run number in the tables.
#include "worker/hand_over.hpp"

#include <algorithm>
#include <functional>

#include "engine/view/view.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "store/groups.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/own_tables.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

using shmem::HandOver;
using shmem::HandOverState;

// kHeld: another session has locked a row, and there was no wait. kLater: a temporary error,
// perhaps after a wait. kFailed: a permanent error.
enum class Tried { kDone, kHeld, kLater, kFailed };

Tried try_once(const char* doing, store::RunError& error, std::function<void(pg::Spi&)> body) {
  switch (attempt_with_own_tables(kHandOverLockTimeout, doing, body, &error)) {
    case Attempt::kDone:
      return Tried::kDone;
    case Attempt::kLater:
      return Tried::kLater;
    case Attempt::kFailed:
      break;
  }
  return Tried::kFailed;
}

int packed(const std::string& sqlstate) {
  return MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]);
}

// Returns kGone if the view does not exist. It may have been dropped, or the caller may have
// created it in a transaction that has not committed.
store::RequestResult write_down(pg::Spi& spi, const HandOver& wanted) {
  if (store::is_known_run(spi, wanted.run_id))
    return store::RequestResult::kYes;  // its scheduler died
  std::int64_t job = wanted.job_id;
  if (job == 0) {
    const Oid owner = engine::relation_owner(wanted.view);
    if (!OidIsValid(owner)) return store::RequestResult::kGone;
    const engine::View view = engine::read_view(wanted.view);
    job = store::insert_one_time_refresh(spi, view.schema, view.name, owner,
                                         static_cast<store::Strategy>(wanted.strategy));
  }
  return store::insert_numbered_request(spi, wanted.run_id, job, wanted.requested_by);
}

Tried accept(const shmem::PlacedHandOver& posted) {
  store::RequestResult asked = store::RequestResult::kGone;
  store::RunError error;
  const Tried tried = try_once("a refresh that was handed over cannot be written down", error,
                               [&](pg::Spi& spi) { asked = write_down(spi, posted.hand_over); });
  if (tried == Tried::kLater) return tried;
  if (tried == Tried::kFailed) {
    shmem::refuse_hand_over(posted, packed(error.sqlstate), error.message);
    return tried;
  }
  if (asked == store::RequestResult::kHeld) return Tried::kHeld;
  shmem::move_hand_over(posted, asked == store::RequestResult::kYes ? HandOverState::kAccepted
                                                                    : HandOverState::kRefused);
  return Tried::kDone;
}

bool is_served(std::int64_t run) {
  const std::vector<shmem::SlotView> busy = shmem::busy_slots(MyDatabaseId);
  return std::any_of(busy.begin(), busy.end(),
                     [run](const shmem::SlotView& view) { return view.slot.run.run_id == run; });
}

// Deletes the request, or cancels the run if it has begun; its worker then logs the end. If another
// session withdraws the request in an open transaction, that session logs the end. The place is
// freed only when the run cannot begin any more.
Tried give_up(const shmem::PlacedHandOver& withdrawn) {
  const std::int64_t run = withdrawn.hand_over.run_id;
  const bool served = is_served(run);  // only this process assigns runs, so this cannot change
  bool gone = false;
  bool held = false;
  bool open_group = false;
  store::RunError error;
  const Tried tried =
      try_once("a refresh that was given up cannot be canceled", error, [&](pg::Spi& spi) {
        const auto request = store::find_request(spi, run);
        const auto job = store::job_of_run(spi, run);
        gone = request && job && store::withdraw_request(spi, *request, *job, pg::now());
        held = request && !gone;
        open_group = store::is_open_group(spi, run);
      });
  if (tried == Tried::kFailed) (void)shmem::cancel_run(MyDatabaseId, run);
  if (tried != Tried::kDone) return tried;
  if (open_group) {
    if (!shmem::post_group_cancel(MyDatabaseId, run)) return Tried::kHeld;
  } else if (!gone) {
    (void)shmem::cancel_run(MyDatabaseId, run);
    if (held && served) return Tried::kHeld;  // its worker may be about to open a group
  }
  shmem::move_hand_over(withdrawn, HandOverState::kFree);
  return tried;
}

}  // namespace

// After a hand-over that may have waited for a lock, the rest are left for the next pass. The other
// work of the scheduler comes in between.
void HandOvers::serve() {
  const core::Instant now = pg::now();
  std::map<std::int64_t, Again> again;
  bool has_waited = false;
  for (const shmem::PlacedHandOver& open : shmem::open_hand_overs(MyDatabaseId)) {
    const std::int64_t run = open.hand_over.run_id;
    const auto known = again_.find(run);
    Again next = known != again_.end() ? known->second : Again{now, {}};
    if (known != again_.end() && !is_time(next.at, now, kLongestDelay)) {
      again.emplace(run, next);
    } else if (has_waited) {
      again.emplace(run, Again{now, next.backoff});
    } else {
      const bool posted = open.hand_over.state == HandOverState::kPosted;
      const Tried tried = posted ? accept(open) : give_up(open);
      has_waited = tried == Tried::kLater;
      if (tried == Tried::kDone || (posted && tried == Tried::kFailed)) continue;
      next.at = tried == Tried::kFailed ? next.backoff.next(pg::now()) : pg::now() + kTryAgain;
      again.emplace(run, next);
    }
  }
  again_ = std::move(again);
}

std::optional<core::Instant> HandOvers::try_again_at() const {
  std::optional<core::Instant> first;
  for (const auto& [run, again] : again_)
    if (!first || again.at < *first) first = again.at;
  return first;
}

}  // namespace metrics_refresh::worker
