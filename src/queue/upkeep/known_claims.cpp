#include "queue/upkeep/known_claims.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "shmem/queue/outside_claims.hpp"
#include "shmem/queue/types.hpp"
#include "store/queue/after_start.hpp"
#include "store/queue/claims.hpp"

namespace metrics_refresh::queue {
namespace {

using shmem::queue::OutsideClaim;
using store::queue::ClaimRow;

constexpr std::size_t kMost = 1000;

struct KnownClaim {
  OutsideClaim claim;
  bool was_released = false;
  std::int16_t version = 0;
};

OutsideClaim claim_of(const ClaimRow& row) {
  OutsideClaim claim;
  claim.job = row.id;
  claim.segment = row.segment;
  claim.state = shmem::queue::OutsideState::kLeased;
  claim.attempt = row.attempt;
  static_assert(sizeof claim.token.bytes == UUID_LEN);
  std::memcpy(claim.token.bytes, row.token.data, UUID_LEN);
  claim.started_at = row.claimed_at;
  claim.lease_until = GetCurrentTimestamp() + (row.lease_until - row.claimed_at);
  claim.claimed_by = row.claimed_by;
  if (row.worker != nullptr) {
    const std::size_t length = std::min<std::size_t>(
        static_cast<std::size_t>(VARSIZE_ANY_EXHDR(row.worker)), sizeof claim.worker - 1);
    std::memcpy(claim.worker, VARDATA_ANY(row.worker), length);
  }
  return claim;
}

void visit(void* context, const ClaimRow& row) {
  static_cast<std::vector<KnownClaim>*>(context)->push_back(
      {claim_of(row), row.lease_until == row.claimed_at, row.version});
}

// By number; of several claims of a job, only the last one.
std::vector<KnownClaim> claims_of(std::uint8_t segment) {
  std::vector<KnownClaim> claims;
  store::queue::read_claims(segment, GetActiveSnapshot(), visit, &claims);
  std::sort(claims.begin(), claims.end(), [](const KnownClaim& a, const KnownClaim& b) {
    return std::pair(a.claim.job, a.claim.started_at) < std::pair(b.claim.job, b.claim.started_at);
  });
  std::vector<KnownClaim> last;
  for (const KnownClaim& claim : claims) {
    if (!last.empty() && last.back().claim.job == claim.claim.job)
      last.back() = claim;
    else
      last.push_back(claim);
  }
  return last;
}

// A job without room becomes an ordinary one, and its token is stale.
void restore(KnownClaim& known, const Unended& job, const Types& types) {
  if (known.version != job.version || known.was_released) return;
  known.claim.tid = job.place.tid;
  known.claim.type = job.type;
  const JobType* const type = types.find(job.type);
  const Oid role = type != nullptr ? type->owner_oid : InvalidOid;
  (void)shmem::queue::restore_outside(claimable(job), known.claim, role);
}

void restore_segment(std::uint8_t segment, const Types& types) {
  std::vector<KnownClaim> claims = claims_of(segment);
  if (claims.empty()) return;
  const JobNumber last = claims.back().claim.job;
  std::vector<Unended> jobs(kMost);
  store::queue::UnendedRead read;
  read.until = claims.front().claim.job - 1;
  for (auto next = claims.begin(); read.until < last && next != claims.end();) {
    read = store::queue::read_unended(segment, read.until, last, GetActiveSnapshot(), jobs.data(),
                                      jobs.size());
    for (std::size_t i = 0; i < read.count; ++i) {
      while (next != claims.end() && next->claim.job < jobs[i].place.id) ++next;
      if (next != claims.end() && next->claim.job == jobs[i].place.id)
        restore(*next, jobs[i], types);
    }
  }
}

void book_starts(pg::Spi& spi, const Types& types) {
  for (const auto& [id, type] : types.all()) {
    if (type.rate_limit == 0) continue;
    const std::int64_t starts = store::queue::count_starts(
        spi, id, type.name, pg::now() - type.rate_period, type.rate_limit);
    shmem::queue::book_starts(id, static_cast<std::uint32_t>(starts));
  }
}

}  // namespace

bool restore_known_claims(const Types& types, std::uint8_t segments) {
  return store::try_with_own_tables("claims of jobs cannot be restored now",
                                    [&types, segments](pg::Spi& spi) {
                                      for (std::uint8_t i = 0; i < shmem::queue::kSegments; ++i)
                                        if ((segments >> i & 1) != 0) restore_segment(i, types);
                                      book_starts(spi, types);
                                    });
}

}  // namespace metrics_refresh::queue
