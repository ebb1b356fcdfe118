#include "store/queue/after_start.hpp"

#include "shmem/queue/prepared_posts.hpp"

namespace metrics_refresh::store::queue {

std::vector<JobNumber> read_suspects(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT id FROM metrics_refresh_internal.queue_later"
      " WHERE waits = 0 AND run_at = $1 AND flags & 2 <> 0 ORDER BY id",
      {pg::Param(TIMESTAMPTZOID, TimestampTzGetDatum(kSuspectRunAt))});
  std::vector<JobNumber> jobs;
  for (std::size_t i = 0; i < rows.size(); ++i) jobs.push_back(rows.get_int64(i, "id"));
  return jobs;
}

// A job that has started after a time has finished after it.
std::int64_t count_starts(pg::Spi& spi, TypeId type, const std::string& name, core::Instant since,
                          std::int64_t most) {
  const pg::Rows rows = spi.query(
      "SELECT count(*) AS starts FROM (SELECT FROM metrics_refresh_internal.queue_history"
      " WHERE finished_at > $3 AND started_at > $3 AND type_id = $1"
      " UNION ALL SELECT FROM metrics_refresh_internal.job_failure"
      " WHERE created_at > $3 AND kind = 'job' AND name = $2 LIMIT $4) s",
      {static_cast<int>(type), name, since, most});
  return rows.get_int64(0, "starts");
}

void record_prepared_jobs(pg::Spi& spi) {
  if (max_prepared_xacts == 0) return;
  const pg::Rows rows = spi.query(
      "SELECT transaction::text::int8 FROM pg_catalog.pg_prepared_xacts"
      " WHERE database = pg_catalog.current_database()");
  constexpr std::uint8_t kAllSegments = 0xff;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!shmem::queue::store_unknown_prepared(
            static_cast<TransactionId>(rows.get_int64(i, "transaction")), kAllSegments))
      throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                         "there is no room for the news of prepared transactions");
  // Some of them may have ended since the query.
  pg::call([] { shmem::queue::post_prepared(); });
}

}  // namespace metrics_refresh::store::queue
