#include "store/queue/job_ends.hpp"

#include "pg/time.hpp"

namespace metrics_refresh::store::queue {

// OFFSET 0 keeps each subquery from becoming a join. As joins, all end marks would be read for each
// job.
JobEnds find_ends(pg::Spi& spi, const std::vector<std::int64_t>& jobs) {
  const pg::Rows rows = spi.query_latest(
      "SELECT j.id,"
      " EXISTS (SELECT FROM metrics_refresh_internal.queue_stopped s WHERE s.id = j.id OFFSET 0)"
      " AS is_stopped FROM pg_catalog.unnest($1) j (id) WHERE NOT EXISTS"
      " (SELECT FROM metrics_refresh_internal.queue_later l WHERE l.id = j.id OFFSET 0)"
      " AND NOT EXISTS"
      " (SELECT FROM metrics_refresh_internal.queue_batch b WHERE b.id = j.id OFFSET 0)"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.queue_hot h WHERE h.id = j.id"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.queue_ended e"
      " WHERE e.id = h.id AND e.version = h.version OFFSET 0) OFFSET 0)",
      {pg::Param::array(jobs)});
  JobEnds ends;
  for (std::size_t i = 0; i < rows.size(); ++i)
    (rows.get_bool(i, "is_stopped") ? ends.stopped : ends.completed)
        .push_back(rows.get_int64(i, "id"));
  return ends;
}

std::optional<TimestampTz> earliest_run(pg::Spi& spi, const std::vector<std::int64_t>& jobs) {
  const pg::Rows rows = spi.query(
      "SELECT min(run_at) AS run_at FROM metrics_refresh_internal.queue_later WHERE id = ANY ($1)",
      {pg::Param::array(jobs)});
  return pg::to_timestamptz(rows.get_instant_or_null(0, "run_at"));
}

}  // namespace metrics_refresh::store::queue
