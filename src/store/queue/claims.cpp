#include "store/queue/claims.hpp"

#include "pg/append_rows.hpp"
#include "pg/compat_execution.hpp"
#include "pg/guard.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

enum ClaimColumn {
  kClaimId,
  kClaimedAt,
  kLeaseUntil,
  kToken,
  kClaimedBy,
  kClaimVersion,
  kClaimAttempt,
  kClaimWorker,
  kClaimColumns
};

void fill_claim(const ClaimRow& claim, Datum* values, bool* nulls) {
  std::fill(nulls, nulls + kClaimColumns, false);
  values[kClaimId] = Int64GetDatum(claim.id);
  values[kClaimedAt] = TimestampTzGetDatum(claim.claimed_at);
  values[kLeaseUntil] = TimestampTzGetDatum(claim.lease_until);
  values[kToken] = UUIDPGetDatum(&claim.token);
  values[kClaimedBy] = ObjectIdGetDatum(claim.claimed_by);
  values[kClaimVersion] = Int16GetDatum(claim.version);
  values[kClaimAttempt] = Int16GetDatum(claim.attempt);
  fill_text(claim.worker, &values[kClaimWorker], &nulls[kClaimWorker]);
}

ClaimRow claim_of(TupleTableSlot* row, std::uint8_t segment) {
  slot_getallattrs(row);
  const Datum* const values = row->tts_values;
  ClaimRow claim;
  claim.id = DatumGetInt64(values[kClaimId]);
  claim.claimed_at = DatumGetTimestampTz(values[kClaimedAt]);
  claim.lease_until = DatumGetTimestampTz(values[kLeaseUntil]);
  claim.token = *DatumGetUUIDP(values[kToken]);
  claim.claimed_by = DatumGetObjectId(values[kClaimedBy]);
  claim.version = DatumGetInt16(values[kClaimVersion]);
  claim.attempt = DatumGetInt16(values[kClaimAttempt]);
  claim.segment = segment;
  if (!row->tts_isnull[kClaimWorker]) claim.worker = DatumGetTextPP(values[kClaimWorker]);
  return claim;
}

}  // namespace

void append_claims(const ClaimRow* claims, std::size_t count) {
  pg::call([=] {
    for (std::size_t first = 0, end = 0; first < count; first = end) {
      const std::uint8_t segment = claims[first].segment;
      for (end = first + 1; end < count && claims[end].segment == segment;) ++end;
      pg::Appender table;
      open_queue_appender(&table, tables().claim[segment]);
      pg::append_all(
          table, end - first,
          [=](std::size_t i, Datum* values, bool* nulls) {
            fill_claim(claims[first + i], values, nulls);
          },
          [](std::size_t, const ItemPointerData&) {});
      pg::close_appender(table);
    }
  });
}

void read_claims(std::uint8_t segment, Snapshot snapshot,
                 void (*visit)(void* context, const ClaimRow& claim), void* context) {
  pg::call([=] {
    Relation const table = open_queue_table(tables().claim[segment], AccessShareLock);
    TupleTableSlot* const row = table_slot_create(table, nullptr);
    TableScanDesc const scan = pg::begin_scan(table, snapshot);
    while (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
      CHECK_FOR_INTERRUPTS();
      visit(context, claim_of(row, segment));
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(row);
    table_close(table, AccessShareLock);
  });
}

}  // namespace metrics_refresh::store::queue
