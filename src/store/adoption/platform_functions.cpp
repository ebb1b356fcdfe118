// The functions around a view platform_metrics as data. Each Thin lists the column names that
// callers may expect and the expressions that compute them. thin_functions.cpp builds the SQL text
// for the columns that an existing function has.
#include "store/adoption/platform_functions.hpp"

#include "pg/quote.hpp"

namespace metrics_refresh::store {
namespace {

Thin refresh_function(const char* name, const std::string& arguments) {
  Thin thin;
  thin.name = name;
  // r is the jsonb result of the refresh.
  thin.from = "metrics_refresh.refresh_by_name(" + arguments + ") r";
  const std::string succeeded = "(r ->> 'success')::pg_catalog.bool";
  thin.columns = {
      {" success succeeded ok ", ValueKind::kBool, succeeded},
      {" duration_ms execution_time_ms ", ValueKind::kNumber,
       "(r ->> 'duration_ms')::pg_catalog.\"numeric\""},
      {" message msg ", ValueKind::kText, "r ->> 'message'"},
      {" error error_message ", ValueKind::kText,
       "CASE WHEN NOT " + succeeded + " THEN r ->> 'message' END"},
      {" status ", ValueKind::kText, "CASE WHEN " + succeeded + " THEN 'success' ELSE 'error' END"},
      {" refreshed_at completed_at ", ValueKind::kTime, "pg_catalog.clock_timestamp()"}};
  // The function may also return a single value. Its type selects the expression.
  thin.scalars = {{"", ValueKind::kJson, "r"},
                  {"", ValueKind::kBool, succeeded},
                  {"", ValueKind::kText, "r ->> 'message'"}};
  return thin;
}

Thin cleanup_function() {
  Thin thin;
  thin.name = "cleanup_old_metrics_logs";
  thin.from = "metrics_refresh.cleanup_logs() n";
  const std::string names =
      " deleted_count deleted deleted_rows rows_deleted count removed cleaned ";
  thin.columns = {{names, ValueKind::kNumber, "n"}};
  thin.scalars = {
      {"", ValueKind::kNumber, "n"},
      {"", ValueKind::kJson, "pg_catalog.jsonb_build_object('success', true, 'deleted_count', n)"}};
  thin.from_with_number =
      // The argument of such functions is the number of days to keep.
      "metrics_refresh.cleanup_logs(pg_catalog.make_interval(days => $1::pg_catalog.int4)) n";
  return thin;
}

Thin statistics_function(const std::string& view) {
  Thin thin;
  thin.name = "get_metrics_refresh_stats";
  thin.from = "metrics_refresh.get_view_stats(" + view + ") s";
  thin.columns = {
      {" total_refreshes total_runs total_count total ", ValueKind::kNumber, "s.total_refreshes"},
      {" successful_refreshes success_count successful_runs successful ", ValueKind::kNumber,
       "s.successful_refreshes"},
      {" failed_refreshes error_count failed_runs failure_count failed ", ValueKind::kNumber,
       "s.failed_refreshes"},
      {" success_rate success_percentage ", ValueKind::kNumber, "s.success_rate"},
      {" avg_duration_ms average_duration_ms avg_duration ", ValueKind::kNumber,
       "s.avg_duration_ms"},
      {" max_duration_ms max_duration ", ValueKind::kNumber, "s.max_duration_ms"},
      {" min_duration_ms min_duration ", ValueKind::kNumber, "s.min_duration_ms"},
      {" last_refresh_at last_refresh last_run last_run_at ", ValueKind::kTime,
       "s.last_refresh_at"},
      {" last_error last_error_message ", ValueKind::kText, "s.last_error"}};
  thin.scalars = {{"", ValueKind::kJson, "pg_catalog.to_jsonb(s)"}};
  thin.from_with_number = "metrics_refresh.get_view_stats(" + view + ", $1::pg_catalog.int4) s";
  // Only reads, so it may stay STABLE.
  thin.writes = false;
  return thin;
}

}  // namespace

std::vector<Thin> platform_functions(const std::string& schema) {
  const std::string view = pg::literal(schema) + ", 'platform_metrics'";
  return {refresh_function("refresh_platform_metrics_with_logging", view),
          refresh_function("trigger_platform_metrics_refresh", view + ", true"), cleanup_function(),
          statistics_function(view)};
}

}  // namespace metrics_refresh::store
