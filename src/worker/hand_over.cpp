#include "worker/hand_over.hpp"

#include "engine/view.hpp"
#include "pg/time.hpp"
#include "shmem/area.hpp"
#include "store/groups.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {
namespace {

using shmem::HandOver;
using shmem::HandOverState;

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
  if (!try_with_own_tables("a refresh that was handed over cannot be written down now",
                           [&](pg::Spi& spi) { written = write_down(spi, posted.hand_over); }))
    return false;
  shmem::move_hand_over(posted, written ? HandOverState::kTaken : HandOverState::kRefused);
  return true;
}

// A request is deleted; a run that has begun is canceled, and logs that itself.
bool give_up(const shmem::PlacedHandOver& withdrawn) {
  const std::int64_t run = withdrawn.hand_over.run_id;
  bool gone = false;
  bool open_group = false;
  if (!try_with_own_tables("a refresh that was given up cannot be canceled now", [&](pg::Spi& spi) {
        const auto request = store::find_request(spi, run);
        const auto job = store::job_of_run(spi, run);
        gone = request && job && store::withdraw_request(spi, *request, *job, pg::now());
        open_group = store::is_open_group(spi, run);
      }))
    return false;
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
