// Queries of the log for each view, and the count of due times.
#include "api/monitoring/view_facts.hpp"

#include "pg/time.hpp"
#include "shmem/skipped_jobs.hpp"

namespace metrics_refresh::api {

std::map<Oid, LoggedView> logged_views(pg::Spi& spi, const std::vector<Oid>& views) {
  // Three lateral lookups, each of which reads one row through the index on (view_schema,
  // view_name, started_at): the last success with a row count, the last success, and the last run
  // that ended.
  const pg::Rows rows = spi.query(
      "SELECT c.oid, c.relispopulated AS populated, s.finished_at AS last_success,"
      " (SELECT r.rows_total FROM metrics_refresh.run_log r WHERE r.view_schema = n.nspname"
      "  AND r.view_name = c.relname AND r.status = 'success' AND r.rows_total IS NOT NULL"
      "  ORDER BY r.started_at DESC LIMIT 1) AS rows, l.status AS last_status,"
      " l.error_message AS last_error"
      " FROM unnest($1) v (oid) JOIN pg_class c ON c.oid = v.oid"
      " JOIN pg_namespace n ON n.oid = c.relnamespace"
      " LEFT JOIN LATERAL (SELECT r.finished_at FROM metrics_refresh.run_log r"
      "  WHERE r.view_schema = n.nspname AND r.view_name = c.relname AND r.status = 'success'"
      "  ORDER BY r.started_at DESC LIMIT 1) s ON true"
      " LEFT JOIN LATERAL (SELECT r.status, r.error_message FROM metrics_refresh.run_log r"
      "  WHERE r.view_schema = n.nspname AND r.view_name = c.relname AND r.status <> 'running'"
      "  ORDER BY r.started_at DESC LIMIT 1) l ON true",
      {pg::Param::array(std::vector<std::int64_t>(views.begin(), views.end()))});
  std::map<Oid, LoggedView> found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    LoggedView view;
    view.populated = rows.get_bool(i, "populated");
    view.last_success = rows.get_instant_or_null(i, "last_success");
    view.rows = rows.get_int64_or_null(i, "rows");
    view.last_status = rows.get_text_or_empty(i, "last_status");
    view.last_error = rows.get_text_or_empty(i, "last_error");
    found[rows.get_oid(i, "oid")] = std::move(view);
  }
  return found;
}

std::map<std::int64_t, core::Instant> found_fresh() {
  std::map<std::int64_t, core::Instant> found;
  for (const shmem::SkippedJob& job : shmem::skipped_jobs())
    found[job.job_id] = pg::to_instant(job.times.fresh_at);
  return found;
}

std::optional<core::Instant> find_time(const std::map<std::int64_t, core::Instant>& times,
                                       std::int64_t job) {
  const auto found = times.find(job);
  if (found == times.end()) return std::nullopt;
  return found->second;
}

int due_times_since(const std::optional<core::Timetable>& timetable, core::Instant since,
                    core::Instant now, int most) {
  if (!timetable) return 0;
  if (timetable->schedule.counts_from_end() && timetable->last_end != core::Instant::max()) {
    // Due times that count from the end of a run are not missed while a long run is under way.
    std::optional<core::Timetable> others = timetable;
    others->last_end = core::Instant::max();
    return due_times_since(others, since, now, most);
  }
  int count = 0;
  // `most` bounds the loop: a job with a short interval may not have run for months.
  for (auto due = timetable->next_after(since); due && *due <= now && count < most; ++count)
    due = timetable->next_after(*due);
  return count;
}

}  // namespace metrics_refresh::api
