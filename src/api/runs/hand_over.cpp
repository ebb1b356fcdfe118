#include "api/runs/hand_over.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "api/shares.hpp"
#include "extension/privilege.hpp"
#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "shmem/area.hpp"
#include "store/one_time_jobs.hpp"

namespace metrics_refresh::api {
namespace {

using shmem::HandOverState;

// What this process has handed over, for the case that it ends meanwhile.
int own_place = -1;
std::int64_t own_run = 0;

void on_exit(int, Datum) {
  if (own_place >= 0) shmem::withdraw_hand_over(own_place, own_run);
  own_place = -1;
}

void require_workers() {
  (void)shmem::required_area();
  if (RecoveryInProgress())
    throw pg::SqlError(ERRCODE_READ_ONLY_SQL_TRANSACTION, "no worker runs during recovery",
                       "Refresh the view on the primary server.");
  if (!settings::enabled())
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "no worker runs while metrics_refresh.enabled is off",
                       "A refresh by one who lacks the rights of the view's owner takes a worker.");
}

// The worker would not see it.
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
                       "Look into the server log for the rest of the error.",
                       "The refresh could not be written down for a worker.");
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "the refresh was not begun",
                     "Look whether it was dropped or unscheduled meanwhile.",
                     "What was to be refreshed is not there any more, or its request is not.");
}

void require_patience(core::Instant since) {
  if (LockTimeout > 0 && pg::now() - since > std::chrono::milliseconds(LockTimeout))
    throw pg::SqlError(ERRCODE_LOCK_NOT_AVAILABLE,
                       "no worker was free for the refresh within lock_timeout",
                       "metrics_refresh.running shows what the workers are at.");
}

// Until when nothing wakes it that it waits for.
long next_look() {
  constexpr long kLong = 3'600'000;
  return LockTimeout > 0 ? std::min<long>(LockTimeout, kLong) : kLong;
}

store::KnownOutcome outcome_of(std::int64_t run) {
  store::KnownOutcome known;
  with_tables([&](pg::Spi& spi) { known = store::latest_outcome(spi, run); });
  return known;
}

RefreshedNow wait_for_end(int place, std::int64_t run) {
  shmem::Area& area = shmem::required_area();
  const core::Instant since = pg::now();
  pg::call([&area] { ConditionVariablePrepareToSleep(&area.run_ended); });
  for (;;) {
    // In this order: what is taken is requested or logged.
    const shmem::HandOver hand_over = shmem::read_hand_over(place, run);
    const HandOverState state = hand_over.state;
    const store::KnownOutcome known = outcome_of(run);
    if (known.outcome && known.outcome->status != "running") {
      pg::call([] { ConditionVariableCancelSleep(); });
      return {run, *known.outcome, known.duration_ms};
    }
    const bool waits = state == HandOverState::kPosted;
    if (!waits && !known.outcome && !(state == HandOverState::kTaken && known.is_queued))
      refuse(hand_over);
    if (!known.outcome) require_patience(since);
    const long timeout = next_look();
    pg::call([&area, timeout] {
      (void)ConditionVariableTimedSleep(&area.run_ended, timeout, PG_WAIT_EXTENSION);
    });
  }
}

// Its place.
int post(const shmem::HandOver& wanted) {
  constexpr int kMost = shmem::kMaxHandOversPerRole;
  const bool limited = !pg::is_superuser(wanted.requested_by);
  const shmem::PostedHandOver posted =
      shmem::post_hand_over(wanted, limited ? kMost : shmem::kMaxHandOvers);
  switch (posted.posting) {
    case shmem::Posting::kPosted:
      break;
    case shmem::Posting::kNotServed:
      throw pg::SqlError(
          ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "no scheduler serves this database",
          "Raise metrics_refresh.max_databases and restart the server.",
          "A refresh by one who lacks the rights of the view's owner takes a worker.");
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

RefreshedNow have_done(shmem::HandOver wanted) {
  static bool registered = false;
  if (!registered) pg::call([] { before_shmem_exit(on_exit, 0); });
  registered = true;
  check_share_of_requests(1);
  with_tables([&wanted](pg::Spi& spi) { wanted.run_id = store::next_run_id(spi); });
  wanted.database = MyDatabaseId;
  wanted.requested_by = GetUserId();
  own_run = wanted.run_id;
  own_place = post(wanted);
  try {
    RefreshedNow done = wait_for_end(own_place, own_run);
    shmem::end_hand_over(std::exchange(own_place, -1), own_run);
    return done;
  } catch (...) {
    pg::call([] { ConditionVariableCancelSleep(); });
    shmem::withdraw_hand_over(std::exchange(own_place, -1), own_run);
    throw;
  }
}

}  // namespace

RefreshedNow refresh_in_worker(Oid view, engine::Requested requested) {
  require_workers();
  require_committed(view);
  shmem::HandOver wanted = {};
  wanted.view = view;
  const std::string strategy = engine::to_string(requested);
  strlcpy(wanted.strategy, strategy.c_str(), sizeof wanted.strategy);
  return have_done(wanted);
}

RefreshedNow refresh_group_in_worker(std::int64_t job_id) {
  require_workers();
  shmem::HandOver wanted = {};
  wanted.job_id = job_id;
  return have_done(wanted);
}

}  // namespace metrics_refresh::api
