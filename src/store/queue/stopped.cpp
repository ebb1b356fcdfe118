#include "store/queue/stopped.hpp"

#include <algorithm>

#include "store/queue/job_rows.hpp"

namespace metrics_refresh::store::queue {
namespace {

const std::string kTable = "metrics_refresh_internal.queue_stopped";
const std::string kCounts =
    " type_id::int8, count(*) FILTER (WHERE status = 'd') AS dead,"
    " count(*) FILTER (WHERE status = 'c') AS canceled";

// Deletes the next rows of the types $1, by ascending number after $2, at most $3. The cursor is
// needed within one transaction, too: its dead rows are still in the indexes.
std::string delete_next(const std::string& condition) {
  return "DELETE FROM " + kTable + " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " + kTable +
         " WHERE type_id = ANY ($1) AND id > $2 AND " + condition +
         " ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED))";
}

std::vector<StoppedCount> counts_of(const pg::Rows& rows) {
  std::vector<StoppedCount> counts;
  for (std::size_t i = 0; i < rows.size(); ++i)
    counts.push_back({static_cast<TypeId>(rows.get_int64(i, "type_id")), rows.get_int64(i, "dead"),
                      rows.get_int64(i, "canceled")});
  return counts;
}

}  // namespace

std::optional<StoppedJob> take_stopped(pg::Spi& spi, JobNumber id) {
  const pg::Rows rows = spi.query("DELETE FROM " + kTable + " WHERE id IN (SELECT id FROM " +
                                      kTable + " WHERE id = $1 FOR UPDATE SKIP LOCKED) RETURNING " +
                                      kJobColumnList + ", status = 'd' AS is_dead",
                                  {id});
  if (rows.empty()) return std::nullopt;
  return StoppedJob{job_of(rows, 0),
                    rows.get_bool(0, "is_dead") ? StopStatus::kDead : StopStatus::kCanceled};
}

std::vector<Job> take_dead(pg::Spi& spi, const std::vector<std::int64_t>& types, JobNumber after,
                           std::size_t most) {
  const pg::Rows rows =
      spi.query(delete_next("status = 'd'") + " RETURNING " + kJobColumnList,
                {pg::Param::array(types), after, static_cast<std::int64_t>(most)});
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < rows.size(); ++i) jobs.push_back(job_of(rows, i));
  std::sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.id < b.id; });
  return jobs;
}

std::vector<StoppedCount> purge_stopped(pg::Spi& spi, const std::vector<std::int64_t>& types,
                                        TimestampTz stopped_before,
                                        std::optional<StopStatus> status, JobNumber& cursor,
                                        std::size_t most) {
  const pg::Rows rows = spi.query(
      "WITH purged AS (" + delete_next("finished_at < $4 AND status = coalesce($5, status)") +
          " RETURNING type_id, status, id) SELECT" + kCounts +
          ", max(id) AS last FROM purged GROUP BY 1",
      {pg::Param::array(types), cursor, static_cast<std::int64_t>(most),
       pg::Param(TIMESTAMPTZOID, TimestampTzGetDatum(stopped_before)),
       status ? pg::Param(CHAROID, CharGetDatum(static_cast<char>(*status)))
              : pg::Param::null(CHAROID)});
  for (std::size_t i = 0; i < rows.size(); ++i)
    cursor = std::max<JobNumber>(cursor, rows.get_int64(i, "last"));
  return counts_of(rows);
}

std::vector<StoppedCount> count_stopped(pg::Spi& spi) {
  return counts_of(spi.query_active("SELECT" + kCounts + " FROM " + kTable + " GROUP BY 1"));
}

// Suspects (kIsSuspect) may have passed later, and died of something else.
std::vector<DeadByCrash> dead_by_crash(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT type_id::int8, count(*) AS jobs, min(id) AS first"
      " FROM metrics_refresh_internal.queue_stopped"
      " WHERE flags & 2 <> 0 AND status = 'd' AND starts_with(reason, $1)"
      " GROUP BY type_id ORDER BY type_id",
      {kCrashReason});
  std::vector<DeadByCrash> dead;
  for (std::size_t i = 0; i < rows.size(); ++i)
    dead.push_back({static_cast<TypeId>(rows.get_int64(i, "type_id")), rows.get_int64(i, "jobs"),
                    rows.get_int64(i, "first")});
  return dead;
}

}  // namespace metrics_refresh::store::queue
