// Claims of external workers: queue_claim. A row is written with each claim, so that attempts and
// tokens outlive a crash of the server. Otherwise shared memory knows the claims.
#pragma once

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

struct ClaimRow {
  JobNumber id = 0;
  TimestampTz claimed_at = 0;
  TimestampTz lease_until = 0;  // claimed_at: the claim before it was released
  pg_uuid_t token = {};
  Oid claimed_by = InvalidOid;
  std::int16_t version = 0;
  std::int16_t attempt = 0;  // from 1
  std::uint8_t segment = 0;  // of the job
  const text* worker = nullptr;
};

/// Adds rows. Claims of one segment that follow each other share the opening of its table.
void append_claims(const ClaimRow* claims, std::size_t count);

/// Reads all claims of a segment, in about the order in which they were written, for the start
/// after a crash. A claim counts only if its version of the job has no end mark, and the one with
/// the latest claimed_at counts. `visit(context, claim)` must not raise; the claim's worker is
/// valid during the call.
void read_claims(std::uint8_t segment, Snapshot snapshot,
                 void (*visit)(void* context, const ClaimRow& claim), void* context);

}  // namespace metrics_refresh::store::queue
