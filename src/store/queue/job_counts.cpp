#include "store/queue/job_counts.hpp"

namespace metrics_refresh::store::queue {

std::vector<LaterJobs> count_later_jobs(pg::Spi& spi) {
  const pg::Rows rows = spi.query_active(
      "SELECT type_id::int8, count(*) AS jobs, count(*) FILTER (WHERE flags & 1 <> 0) AS failed"
      " FROM metrics_refresh_internal.queue_later GROUP BY type_id");
  std::vector<LaterJobs> counts;
  for (std::size_t i = 0; i < rows.size(); ++i)
    counts.push_back({static_cast<TypeId>(rows.get_int64(i, "type_id")), rows.get_int64(i, "jobs"),
                      rows.get_int64(i, "failed")});
  return counts;
}

std::vector<LaterJobsOfBatch> count_later_jobs_of_batches(pg::Spi& spi) {
  const pg::Rows rows = spi.query_active(
      "SELECT batch, count(*) AS jobs FROM metrics_refresh_internal.queue_later"
      " WHERE batch IS NOT NULL GROUP BY batch");
  std::vector<LaterJobsOfBatch> counts;
  for (std::size_t i = 0; i < rows.size(); ++i)
    counts.push_back({rows.get_int64(i, "batch"), rows.get_int64(i, "jobs")});
  return counts;
}

std::vector<OpenBatches> count_batches(pg::Spi& spi) {
  const pg::Rows rows = spi.query_active(
      "SELECT type_id::int8, count(*) AS batches FROM metrics_refresh_internal.queue_batch"
      " GROUP BY type_id");
  std::vector<OpenBatches> counts;
  for (std::size_t i = 0; i < rows.size(); ++i)
    counts.push_back(
        {static_cast<TypeId>(rows.get_int64(i, "type_id")), rows.get_int64(i, "batches")});
  return counts;
}

}  // namespace metrics_refresh::store::queue
