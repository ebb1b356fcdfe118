#include "queue/upkeep/leases.hpp"

#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "shmem/queue/outside_claims.hpp"
#include "store/queue/lost_attempt.hpp"
#include "store/queue/news.hpp"

namespace metrics_refresh::queue {
namespace {

using shmem::queue::End;
using shmem::queue::OutsideClaim;

constexpr std::uint32_t kMost = 100;

// The claims that the transaction ends. Plain data, for the callback: if it is rolled back, also
// because the process is terminated, the claims are leased again.
JobNumber used[kMost];
std::uint32_t used_count = 0;

void on_transaction_end(XactEvent event, void*) {
  if (event != XACT_EVENT_ABORT || used_count == 0) return;
  shmem::queue::stop_use(used, used_count);
  used_count = 0;
}

void watch_transactions() {
  static bool is_watching = false;
  if (!std::exchange(is_watching, true))
    pg::call([] { RegisterXactCallback(on_transaction_end, nullptr); });
}

store::RunError expired(const OutsideClaim& claim) {
  return store::run_error(
      ERRCODE_QUERY_CANCELED,
      std::string("the lease of the job expired") +
          (claim.worker[0] != '\0' ? std::string(" at worker \"") + claim.worker + "\"" : ""),
      "If jobs need more time, claim them with a longer lease, or call heartbeat_jobs().");
}

// Jobs that have no row any more were ended by another process.
End end_claim(pg::Spi& spi, const OutsideClaim& claim, const Types& types) {
  End end;
  end.job = claim.job;
  end.outcome = shmem::queue::Outcome::kIsNoJob;
  const std::optional<Job> job =
      store::queue::read_job({claim.job, claim.tid, claim.segment}, GetActiveSnapshot());
  if (!job) return end;
  store::queue::LostAttempt attempt;
  attempt.job = *job;
  attempt.type = types.find(job->type);
  attempt.started_at = claim.started_at;
  attempt.error = expired(claim);
  const store::queue::AttemptEnd written = store::queue::end_lost_attempt(spi, attempt);
  if (!written.is_dead) store::queue::note_later(written.next_at);
  end.outcome = written.is_dead ? shmem::queue::Outcome::kDead : shmem::queue::Outcome::kParked;
  end.attempt_failed = true;
  end.had_failed = job->has(store::queue::kHasFailed);
  end.has_failed = true;
  end.batch = job->batch.value_or(0);
  return end;
}

}  // namespace

void Leases::work(core::Instant now, const Types& types) {
  if (!due_.take(now)) return;
  watch_transactions();
  const std::vector<OutsideClaim> claims = shmem::queue::take_expired(kMost);
  if (!claims.empty() && !end(claims, types)) return due_.failed(now);
  due_.succeeded();
  if (claims.size() == kMost) due_.at_once();
  if (const TimestampTz next = shmem::queue::next_lease_end(); next != PG_INT64_MAX)
    due_.no_later_than(pg::to_instant(next));
}

bool Leases::end(const std::vector<OutsideClaim>& claims, const Types& types) {
  std::vector<End> ends;
  shmem::queue::TransactionNumber transaction = 0;
  for (const OutsideClaim& claim : claims) used[used_count++] = claim.job;
  bool is_told_undisturbed = false;
  const bool done = try_change("leases that have expired cannot be ended now", [&](pg::Spi& spi) {
    for (const OutsideClaim& claim : claims) ends.push_back(end_claim(spi, claim, types));
    transaction = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
    // No signal ends the process before the end is told.
    is_told_undisturbed = true;
    HOLD_INTERRUPTS();
  });
  if (!done) {
    // It may have failed before there was a transaction to be rolled back.
    on_transaction_end(XACT_EVENT_ABORT, nullptr);
    return false;
  }
  shmem::queue::end_outside(ends.data(), static_cast<std::uint32_t>(ends.size()), transaction,
                            XactLastCommitEnd);
  used_count = 0;
  if (is_told_undisturbed) RESUME_INTERRUPTS();  // false if the place is gone
  return true;
}

}  // namespace metrics_refresh::queue
