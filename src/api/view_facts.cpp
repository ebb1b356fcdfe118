#include "api/view_facts.hpp"

namespace metrics_refresh::api {

std::map<Oid, LoggedView> logged_views(pg::Spi& spi, const std::vector<Oid>& views) {
  const pg::Rows rows = spi.query(
      "SELECT c.oid, c.relispopulated, s.finished_at, s.rows_total, coalesce(l.status, ''),"
      " coalesce(l.error_message, '')"
      " FROM unnest($1) v (oid) JOIN pg_class c ON c.oid = v.oid"
      " JOIN pg_namespace n ON n.oid = c.relnamespace"
      " LEFT JOIN LATERAL (SELECT r.finished_at, r.rows_total FROM metrics_refresh.run_log r"
      "  WHERE r.view_schema = n.nspname AND r.view_name = c.relname AND r.status = 'success'"
      "  ORDER BY r.started_at DESC LIMIT 1) s ON true"
      " LEFT JOIN LATERAL (SELECT r.status, r.error_message FROM metrics_refresh.run_log r"
      "  WHERE r.view_schema = n.nspname AND r.view_name = c.relname AND r.status <> 'running'"
      "  ORDER BY r.started_at DESC LIMIT 1) l ON true",
      {pg::Param::array(std::vector<std::int64_t>(views.begin(), views.end()))});
  std::map<Oid, LoggedView> found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    LoggedView view;
    view.populated = rows.get_bool(i, 2);
    view.last_success = rows.get_instant_or_null(i, 3);
    if (!rows.is_null(i, 4)) view.rows = rows.get_int64(i, 4);
    view.last_status = rows.get_text(i, 5);
    view.last_error = rows.get_text(i, 6);
    found[rows.get_oid(i, 1)] = std::move(view);
  }
  return found;
}

int due_times_since(const std::optional<core::Timetable>& timetable, core::Instant since,
                    core::Instant now, int most) {
  if (!timetable) return 0;
  int count = 0;
  for (auto due = timetable->next_after(since); due && *due <= now && count < most; ++count)
    due = timetable->next_after(*due);
  return count;
}

}  // namespace metrics_refresh::api
