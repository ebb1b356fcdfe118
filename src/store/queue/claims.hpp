// Claims of external workers: queue_claim. A row is written with each claim, so that attempts and
// tokens outlive a crash of the server. Otherwise shared memory knows the claims. A row counts only
// while its job's row has no end mark, and the last one of a version counts.
#pragma once

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

struct ClaimRow {
  JobNumber id = 0;
  TimestampTz claimed_at = 0;
  TimestampTz lease_until = 0;
  pg_uuid_t token = {};
  Oid claimed_by = InvalidOid;
  std::int16_t version = 0;
  std::int16_t attempt = 0;  // from 1
  const text* worker = nullptr;
  std::uint8_t segment = 0;  // of the job
};

/// Adds rows, for jobs of any segments.
void append_claims(const ClaimRow* claims, std::size_t count);

/// Reads all claims of a segment in the order in which they were written, in parts: `block` is the
/// page from which to read, and is advanced; returns false at the end. `visit(claim)` must not
/// raise. For the start after a crash.
using ClaimVisitor = void (*)(void* context, const ClaimRow& claim) noexcept;
void read_claims(std::uint8_t segment, Snapshot snapshot, ClaimVisitor visit, void* context);

}  // namespace metrics_refresh::store::queue
