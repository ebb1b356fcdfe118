#include "store/queue/batch_use.hpp"

#include "shmem/queue/place.hpp"

namespace metrics_refresh::store::queue {

// FOR SHARE: close_batch() updates the row, and has to wait for sessions that add jobs.
std::optional<BatchState> share_batch(pg::Spi& spi, std::int64_t id) {
  const pg::Rows rows = spi.query(
      "SELECT enqueued_by, is_open, xmin FROM metrics_refresh_internal.queue_batch WHERE id = $1"
      " FOR SHARE",
      {id});
  if (rows.empty()) return std::nullopt;
  const TransactionId maker = rows.get_oid(0, "xmin");
  return BatchState{rows.get_oid(0, "enqueued_by"), rows.get_bool(0, "is_open"),
                    TransactionIdIsCurrentTransactionId(maker)};
}

std::int64_t number_limit(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last_block"
      " FROM metrics_refresh_internal.queue_job_id_seq");
  return rows.get_int64(0, "last_block") + shmem::queue::kBlock;
}

}  // namespace metrics_refresh::store::queue
