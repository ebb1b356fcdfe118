#include "core/error_class.hpp"

#include "worker/hand_over.hpp"

#include "engine/view.hpp"
#include "pg/time.hpp"
#include "shmem/area.hpp"
#include "store/groups.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/own_tables.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

using shmem::HandOver;
using shmem::HandOverState;

enum class Tried { kDone, kLater, kFailed };

// An error that goes away by itself is a reason to try again; any other is kept in `error`.
template <typename Body>
Tried try_once(const char* doing, store::RunError& error, Body&& body) {
  try {
    with_own_tables(kSchedulerLockTimeout, body);
    return Tried::kDone;
  } catch (const std::exception&) {
    error = store::describe_current_error();
    log_current_exception(doing);
  }
  return core::is_transient(error.sqlstate) ? Tried::kLater : Tried::kFailed;
}

int packed(const std::string& sqlstate) {
  return MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]);
}

// What is to be refreshed may be gone, or not be there yet for anybody but the caller.
bool write_down(pg::Spi& spi, const HandOver& wanted) {
  if (store::is_known_run(spi, wanted.run_id)) return true;  // by a scheduler that then died
  std::int64_t job = wanted.job_id;
  if (job == 0) {
    const Oid owner = engine::relation_owner(wanted.view);
    if (!OidIsValid(owner)) return false;
    const engine::View view = engine::read_view(wanted.view);
    job = store::insert_one_time_refresh(spi, view.schema, view.name, owner, wanted.strategy);
  }
  return store::insert_numbered_request(spi, wanted.run_id, job, wanted.requested_by);
}

// True where nothing of it is left to be done.
bool accept(const shmem::PlacedHandOver& posted) {
  bool written = false;
  store::RunError error;
  const Tried tried = try_once("a refresh that was handed over cannot be written down", error,
                               [&](pg::Spi& spi) { written = write_down(spi, posted.hand_over); });
  if (tried == Tried::kLater) return false;
  if (tried == Tried::kFailed) {
    shmem::refuse_hand_over(posted, packed(error.sqlstate), error.message);
    return true;
  }
  shmem::move_hand_over(posted, written ? HandOverState::kTaken : HandOverState::kRefused);
  return true;
}

// A request is deleted; a run that has begun is canceled, and logs that itself.
bool give_up(const shmem::PlacedHandOver& withdrawn) {
  const std::int64_t run = withdrawn.hand_over.run_id;
  bool gone = false;
  bool open_group = false;
  store::RunError error;
  const Tried tried =
      try_once("a refresh that was given up cannot be canceled", error, [&](pg::Spi& spi) {
        const auto request = store::find_request(spi, run);
        const auto job = store::job_of_run(spi, run);
        gone = request && job && store::withdraw_request(spi, *request, *job, pg::now());
        open_group = store::is_open_group(spi, run);
      });
  if (tried == Tried::kLater) return false;
  if (open_group) {
    if (!shmem::post_group_cancel(MyDatabaseId, run)) return false;
  } else if (!gone) {
    (void)shmem::cancel_run(MyDatabaseId, run);
  }
  shmem::move_hand_over(withdrawn, HandOverState::kFree);
  return true;
}

}  // namespace

void HandOvers::serve() {
  if (try_again_at_ && !is_time(*try_again_at_, pg::now())) return;
  try_again_at_.reset();
  for (const shmem::PlacedHandOver& open : shmem::open_hand_overs(MyDatabaseId)) {
    const bool posted = open.hand_over.state == HandOverState::kPosted;
    if (!(posted ? accept(open) : give_up(open))) try_again_at_ = pg::now() + kTryAgain;
  }
}

}  // namespace metrics_refresh::worker
