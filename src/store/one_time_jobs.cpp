#include "store/one_time_jobs.hpp"

namespace metrics_refresh::store {
namespace {

// What goes with a job, for its foreign keys: nobody holds a row of it, and nobody can add one,
// once the job itself is locked.
bool lock_what_goes(pg::Spi& spi, std::int64_t job_id) {
  const pg::Rows rows = spi.query(
      "WITH locked AS (SELECT FROM metrics_refresh_internal.run_request WHERE job_id = $1"
      "  FOR UPDATE SKIP LOCKED),"
      " members AS (SELECT FROM metrics_refresh_internal.job_member WHERE job_id = $1"
      "  FOR UPDATE SKIP LOCKED)"
      " SELECT (SELECT count(*) FROM locked) + (SELECT count(*) FROM members) ="
      " (SELECT count(*) FROM metrics_refresh_internal.run_request WHERE job_id = $1)"
      " + (SELECT count(*) FROM metrics_refresh_internal.job_member WHERE job_id = $1)",
      {job_id});
  return rows.get_bool(0, 1);
}

}  // namespace

void remove_one_time_job(pg::Spi& spi, std::int64_t job_id) {
  if (spi.query("SELECT FROM metrics_refresh_internal.job WHERE job_id = $1 AND one_time"
                " FOR UPDATE SKIP LOCKED",
                {job_id})
          .empty())
    return;
  if (!lock_what_goes(spi, job_id)) return;
  spi.query("DELETE FROM metrics_refresh_internal.job WHERE job_id = $1", {job_id});
  spi.query("DELETE FROM metrics_refresh_internal.job_state WHERE job_id = $1", {job_id});
}

void remove_finished_one_time_jobs(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT job_id FROM metrics_refresh_internal.job j WHERE one_time"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.run_request r WHERE r.job_id = "
      "j.job_id)"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.active_run a WHERE a.job_id = "
      "j.job_id)"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.group_run_member m WHERE m.job_id = "
      "j.job_id)"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.job_state s WHERE s.job_id = j.job_id"
      "  AND s.retry_at IS NOT NULL)");
  for (std::size_t i = 0; i < rows.size(); ++i) remove_one_time_job(spi, rows.get_int64(i, 1));
}

}  // namespace metrics_refresh::store
