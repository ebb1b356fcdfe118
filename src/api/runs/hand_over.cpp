// Hands a refresh over to a worker and waits for its end.
//
// The caller posts the refresh in shared memory. The scheduler of this database writes a request
// for it, for a single view with a one-time job. A worker then runs the request. A row of a table
// cannot be used for this step: other processes would not see it before the caller's transaction
// commits, and that transaction is waiting. The caller follows the state of the post and of the run
// until the run is in the log. If the caller gives up, it withdraws the post, and the run is
// canceled.
#include "api/runs/hand_over.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "store/one_time_jobs.hpp"

namespace metrics_refresh::api {
namespace {

using shmem::HandOverState;

// The present hand-over of this process, for the exit callback.
int own_place = -1;
std::int64_t own_run = 0;

// FATAL runs no destructors and no catch blocks, so the post is also withdrawn by a
// before_shmem_exit callback.
void on_exit(int, Datum) {
  if (own_place >= 0) shmem::withdraw_hand_over(own_place, own_run);
  own_place = -1;
}

void require_workers() {
  shmem::require_preloaded();
  if (RecoveryInProgress())
    throw pg::SqlError(ERRCODE_READ_ONLY_SQL_TRANSACTION, "no worker runs during recovery",
                       "Refresh the view on the primary server.");
  if (!settings::enabled())
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "no worker runs while metrics_refresh.enabled is off",
                       "A refresh without the rights of the view's owner needs a worker.");
}

// A worker does not see uncommitted changes of the view.
void require_committed(Oid view) {
  const bool own = pg::call([view] {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(view));
    if (!HeapTupleIsValid(tuple)) return false;
    const bool answer = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
    ReleaseSysCache(tuple);
    return answer;
  });
  if (own)
    throw pg::SqlError(
        ERRCODE_ACTIVE_SQL_TRANSACTION,
        "the refresh cannot begin before this transaction has committed",
        "Make or change the view in a transaction of its own, and refresh it in the next.",
        "This transaction has made or changed the view, and a worker is to refresh it.");
}

[[noreturn]] void refuse(const shmem::HandOver& hand_over) {
  if (hand_over.sqlstate != 0)
    throw pg::SqlError(hand_over.sqlstate, hand_over.message,
                       "See the server log for the rest of the error.",
                       "The request for a worker could not be stored.");
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "the refresh was not begun",
                     "Check whether the view was dropped or the job was unscheduled.",
                     "The view or the job does not exist any more, or the request was removed.");
}

// lock_timeout also limits the wait for a free worker. Once the run has begun, there is no limit.
void check_lock_timeout(core::Instant since) {
  if (LockTimeout > 0 && pg::now() - since > std::chrono::milliseconds(LockTimeout))
    throw pg::SqlError(ERRCODE_LOCK_NOT_AVAILABLE,
                       "no worker was free for the refresh within lock_timeout",
                       "See the view metrics_refresh.running for the runs that are under way.");
}

// The longest sleep without a wake-up, in milliseconds.
long sleep_milliseconds() {
  constexpr long kLong = 3'600'000;
  return LockTimeout > 0 ? std::min<long>(LockTimeout, kLong) : kLong;
}

store::KnownOutcome outcome_of(std::int64_t run) {
  store::KnownOutcome known;
  extension::as_extension([&](pg::Spi& spi) { known = store::latest_outcome(spi, run); });
  return known;
}

RefreshedNow wait_for_end(int place, std::int64_t run) {
  shmem::require_preloaded();
  const core::Instant since = pg::now();
  // Before the first look at the state, so that no wake-up is lost.
  pg::call([] { shmem::prepare_for_run_end(); });
  for (;;) {
    // The order matters: the state is read before the tables. A post that has been taken is then
    // found as a request or in the log.
    const shmem::HandOver hand_over = shmem::read_hand_over(place, run);
    const HandOverState state = hand_over.state;
    const store::KnownOutcome known = outcome_of(run);
    if (known.outcome && known.outcome->status != store::RunStatus::kRunning) {
      pg::call([] { shmem::cancel_run_end_sleep(); });
      return {run, *known.outcome, known.duration_ms};
    }
    const bool waits = state == HandOverState::kPosted;
    // Nothing is posted, requested or logged: the scheduler rejected the hand-over.
    if (!waits && !known.outcome && !(state == HandOverState::kAccepted && known.is_queued))
      refuse(hand_over);
    if (!known.outcome) check_lock_timeout(since);
    const long timeout = sleep_milliseconds();
    pg::call([timeout] { shmem::sleep_until_run_end(timeout); });
  }
}

// Returns the place of the post.
int post(const shmem::HandOver& wanted) {
  constexpr int kMost = shmem::kMaxHandOversPerRole;
  const bool limited = !pg::is_superuser(wanted.requested_by);
  const shmem::PostedHandOver posted =
      shmem::post_hand_over(wanted, limited ? kMost : shmem::kMaxHandOvers);
  switch (posted.posting) {
    case shmem::Posting::kPosted:
      break;
    case shmem::Posting::kNotServed:
      throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "no scheduler serves this database",
                         "Raise metrics_refresh.max_databases and restart the server.",
                         "A refresh without the rights of the view's owner needs a worker.");
    case shmem::Posting::kTooManyOfRole:
      throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                         "role \"" + pg::role_name(wanted.requested_by) +
                             "\" would have more callers that wait for a worker than it may",
                         "Try again when some of them are through.",
                         "At most " + std::to_string(kMost) + " of one role may wait at once.");
    case shmem::Posting::kFull:
      throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                         "too many callers wait for a refresh in a worker",
                         "Try again in a moment.");
  }
  return posted.place;
}

RefreshedNow run_in_worker(shmem::HandOver wanted) {
  static bool registered = false;
  // Registered once in each process. The callback does nothing while there is no hand-over.
  if (!registered) pg::call([] { before_shmem_exit(on_exit, 0); });
  registered = true;
  check_share_of_requests(1);
  extension::as_extension([&wanted](pg::Spi& spi) { wanted.run_id = store::next_run_id(spi); });
  wanted.database = MyDatabaseId;
  wanted.requested_by = GetUserId();
  own_run = wanted.run_id;
  own_place = post(wanted);
  try {
    RefreshedNow done = wait_for_end(own_place, own_run);
    shmem::end_hand_over(std::exchange(own_place, -1), own_run);
    return done;
  } catch (...) {
    pg::call([] { shmem::cancel_run_end_sleep(); });
    shmem::withdraw_hand_over(std::exchange(own_place, -1), own_run);
    throw;
  }
}

}  // namespace

RefreshedNow refresh_in_worker(Oid view, store::Strategy strategy) {
  require_workers();
  require_committed(view);
  shmem::HandOver wanted = {};
  wanted.view = view;
  wanted.strategy = static_cast<int>(strategy);
  return run_in_worker(wanted);
}

RefreshedNow refresh_group_in_worker(std::int64_t job_id) {
  require_workers();
  shmem::HandOver wanted = {};
  wanted.job_id = job_id;
  return run_in_worker(wanted);
}

}  // namespace metrics_refresh::api
