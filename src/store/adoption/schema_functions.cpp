// The functions of a schema of materialized views as data, in the form of platform_functions.cpp.
// All of them call require_schema_rights() first: they run with the rights of the caller, and the
// views of the extension would otherwise silently show fewer rows.
#include "store/adoption/schema_functions.hpp"

#include "pg/quote.hpp"

namespace metrics_refresh::store {
namespace {

using pg::literal;

// A view without a job is healthy if its last run did not fail.
const char kHealthy[] =
    "s.freshness IN ('fresh', 'unmanaged') AND coalesce(s.last_status, '') NOT IN ('error', "
    "'canceled', 'interrupted')";

std::vector<Thin::Value> view_columns() {
  return {
      {" view_name matview_name matview materialized_view name ", ValueKind::kText, "s.view_name"},
      {" schema_name view_schema schemaname ", ValueKind::kText, "s.view_schema"},
      {" row_count rows row_counts total_rows record_count ", ValueKind::kNumber, "s.row_count"},
      {" refreshed_at last_refresh last_refreshed last_refresh_at last_refreshed_at ",
       ValueKind::kTime, "s.last_refresh_at"},
      {" size_bytes total_bytes ", ValueKind::kNumber, "s.total_bytes"},
      {" is_populated populated ", ValueKind::kBool, "s.is_populated"},
      {" freshness ", ValueKind::kText, "s.freshness"},
      {" error error_message last_error ", ValueKind::kText, "s.last_error"},
      {" success succeeded ", ValueKind::kBool, "coalesce(s.last_status = 'success', false)"}};
}

Thin view_function(const std::string& schema, const char* name) {
  Thin thin;
  thin.name = name;
  thin.first = {"SELECT metrics_refresh.require_schema_rights(" + literal(schema) + ")"};
  thin.from =
      "(SELECT * FROM metrics_refresh.view_status() v WHERE v.view_schema = " + literal(schema) +
      ") s";
  thin.order = "s.view_name";
  thin.columns = view_columns();
  // The columns if the function does not exist yet.
  thin.usual = {{"view_name", TEXTOID, "text"},
                {"row_count", INT8OID, "bigint"},
                {"refreshed_at", TIMESTAMPTZOID, "timestamp with time zone"}};
  return thin;
}

Thin refresh_function(const std::string& schema, const std::string& group, const char* name) {
  Thin thin = view_function(schema, name);
  // The refresh comes before the query that returns its results.
  thin.first.push_back("SELECT metrics_refresh.refresh_group(" + literal(group) + ")");
  thin.columns.push_back({" status ", ValueKind::kText, "coalesce(s.last_status, 'skipped')"});
  const std::string succeeded = "coalesce(bool_and(s.last_status = 'success'), true)";
  thin.scalars = {
      {"", ValueKind::kJson,
       "jsonb_build_object('success', " + succeeded +
           ", 'refreshed_at', clock_timestamp(), 'views', coalesce(jsonb_agg(jsonb_build_object("
           "'view_name', s.view_name, 'row_count', s.row_count, 'refreshed_at', "
           "s.last_refresh_at, 'error', s.last_error) ORDER BY s.view_name), '[]'))"},
      {"", ValueKind::kBool, succeeded},
      {"", ValueKind::kTime, "clock_timestamp()"},
      {"", ValueKind::kNumber, "count(*)"},
      {"", ValueKind::kText, "format('%s materialized views refreshed', count(*))"}};
  return thin;
}

Thin job_function(const std::string& schema) {
  Thin thin;
  thin.name = "get_cron_job_status";
  thin.first = {"SELECT metrics_refresh.require_schema_rights(" + literal(schema) + ")"};
  thin.from = "metrics_refresh.get_cron_job_status(" + literal(schema) + ") s";
  thin.order = "s.job_name";
  thin.columns = {{" job_name jobname name ", ValueKind::kText, "s.job_name"},
                  {" schedule ", ValueKind::kText, "s.schedule"},
                  {" command ", ValueKind::kText, "s.command"},
                  {" active is_active ", ValueKind::kBool, "s.active"},
                  {" last_run last_run_at last_start last_started_at start_time ", ValueKind::kTime,
                   "s.last_run"},
                  {" last_status status last_run_status ", ValueKind::kText, "s.last_status"},
                  {" last_duration_ms duration_ms ", ValueKind::kNumber, "s.last_duration_ms"},
                  {" next_run next_run_at next_due ", ValueKind::kTime, "s.next_run"}};
  thin.scalars = {{"", ValueKind::kJson, "coalesce(jsonb_agg(to_jsonb(s)), '[]')"}};
  thin.usual = {{"job_name", TEXTOID, "text"},
                {"schedule", TEXTOID, "text"},
                {"command", TEXTOID, "text"},
                {"active", BOOLOID, "boolean"},
                {"last_run", TIMESTAMPTZOID, "timestamp with time zone"},
                {"last_status", TEXTOID, "text"},
                {"last_duration_ms", NUMERICOID, "numeric"},
                {"next_run", TIMESTAMPTZOID, "timestamp with time zone"}};
  return thin;
}

Thin health_function(const std::string& schema) {
  Thin thin = view_function(schema, "health_check");
  const std::string healthy = kHealthy;
  thin.columns.push_back({" is_healthy healthy ok ", ValueKind::kBool, healthy});
  thin.columns.push_back({" status health health_status ", ValueKind::kText,
                          "CASE WHEN " + healthy +
                              " THEN 'healthy' WHEN s.freshness IN ('fresh', 'unmanaged') THEN "
                              "s.last_status ELSE s.freshness END"});
  thin.columns.push_back({" message detail details ", ValueKind::kText, "s.last_error"});
  thin.columns.push_back({" age_minutes minutes_since_refresh minutes_since_last_refresh ",
                          ValueKind::kNumber, "round(extract(epoch FROM s.age) / 60, 1)"});
  // The aggregates return a value even if there are no views.
  const std::string all = "coalesce(bool_and(" + healthy + "), true)";
  thin.scalars = {
      {"", ValueKind::kJson,
       "jsonb_build_object('healthy', " + all +
           ", 'checked_at', clock_timestamp(), 'views', coalesce(jsonb_agg(to_jsonb(s) "
           "ORDER BY s.view_name), '[]'))"},
      {"", ValueKind::kBool, all},
      {"", ValueKind::kText, "CASE WHEN " + all + " THEN 'healthy' ELSE 'unhealthy' END"}};
  thin.usual.push_back({"status", TEXTOID, "text"});
  thin.usual.push_back({"message", TEXTOID, "text"});
  return thin;
}

}  // namespace

std::vector<Thin> schema_functions(const std::string& schema, const std::string& group) {
  return {refresh_function(schema, group, "refresh_all_views"),
          refresh_function(schema, group, "manual_refresh"), job_function(schema),
          health_function(schema)};
}

}  // namespace metrics_refresh::store
