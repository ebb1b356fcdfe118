#include "worker/queue_services.hpp"

#include <algorithm>

#include "extension/privilege.hpp"
#include "extension/settings.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "shmem/queue_share.hpp"
#include "shmem/worker_claims.hpp"

namespace metrics_refresh::worker {
namespace {

using core::Instant;

// An owner has its worker at least for this time if others wait.
constexpr core::Duration kTurn = std::chrono::milliseconds(250);
// While an owner lacks a worker. A worker that was started has begun to claim jobs by then, so that
// it is known whether another one is needed.
constexpr core::Duration kLook = std::chrono::milliseconds(10);
// While an owner with a worker could use another one, and none is left.
constexpr core::Duration kLookForMore = std::chrono::milliseconds(100);
// A worker that dies earlier than this may do so each time.
constexpr core::Duration kShortLife = std::chrono::seconds(5);
constexpr int kEarlyDeaths = 50;

// A job runs only in a session that the owner of its type could open.
bool may_log_in(Oid owner) {
  bool answer = false;
  pg::in_transaction([&answer, owner] {
    answer = !pg::role_name(owner).empty() && !extension::reason_against_login(owner).has_value();
  });
  return answer;
}

}  // namespace

void QueueServices::set_needed(bool needed) {
  if (std::exchange(is_needed_, needed) == needed) return;
  shmem::publish_queue(MyDatabaseId, needed);
}

// Workers that are terminated are replaced at once, unless that goes on. If a handler ends its own
// process, that is counted for its job (queue/job_runner), and other jobs of the owner do not wait.
void QueueServices::collect_ended(Instant now) {
  for (const shmem::WorkerSlot& slot : dispatch_.take_ended_services()) {
    expect();
    const bool has_started = slot.started_at_steady != 0;
    const bool was_short =
        !has_started || pg::steady_now() - slot.started_at_steady < kShortLife.count();
    if (slot.state != shmem::SlotState::kDead || !was_short || slot.has_worked) {
      failures_.erase(slot.run.owner);
      continue;
    }
    Failures& failures = failures_[slot.run.owner];
    if (!has_started || ++failures.early_deaths > kEarlyDeaths)
      failures.not_before = failures.backoff.next(now);
  }
}

QueueServices::Started QueueServices::start(Oid owner, Instant now) {
  const auto failed = failures_.find(owner);
  if (refused_.count(owner) != 0 ||
      (failed != failures_.end() &&
       !store::is_time(failed->second.not_before, now, store::kLongestDelay)))
    return Started::kNotNow;
  if (shmem::is_service_starting(MyDatabaseId, owner)) return Started::kNotNow;
  if (!may_log_in(owner)) {
    refused_.insert(owner);
    return Started::kNotNow;
  }
  const shmem::Claim claim = shmem::claim_service(MyDatabaseId, {owner, false}, owner);
  if (claim.index < 0) return Started::kNoWorker;
  return !claim.start || dispatch_.start_worker(claim) ? Started::kYes : Started::kNoWorker;
}

// An owner without a worker gets one from others. An owner with workers gets more only from those
// that rest.
void QueueServices::work(Instant now, bool may_begin) {
  collect_ended(now);
  const bool may_start = is_needed_ && may_begin;
  if (may_start && !std::exchange(may_start_, may_start)) expect();
  may_start_ = may_start;
  if (!may_start) look_at_.reset();
  if (!look_at_ || !store::is_time(*look_at_, now)) return;
  look_at_.reset();
  for (const shmem::queue::OwnerWork& work : shmem::queue::owners()) {
    if (!work.has_work || work.idle > 0) continue;
    const auto owner = static_cast<Oid>(work.owner);
    const bool has_none = work.workers == 0;
    const Started started = start(owner, now);
    if (started == Started::kNoWorker && has_none)
      shmem::end_turn_of_service(MyDatabaseId, owner, kTurn.count(),
                                 settings::yield_after().count());
    else if (started == Started::kNoWorker)
      shmem::end_rest_of_service();
    if (refused_.count(owner) != 0) continue;
    const Instant again = now + (started == Started::kNoWorker && !has_none ? kLookForMore : kLook);
    look_at_ = look_at_ ? std::min(*look_at_, again) : again;
  }
}

}  // namespace metrics_refresh::worker
