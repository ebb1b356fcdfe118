#include "store/view_settings.hpp"

namespace metrics_refresh::store {
namespace {

pg::Settings read_settings(pg::Spi& spi, const std::optional<std::string>& jsonb) {
  pg::Settings settings;
  if (!jsonb) return settings;
  const pg::Rows rows = spi.query("SELECT key, value FROM jsonb_each_text($1::jsonb)", {*jsonb});
  for (std::size_t i = 0; i < rows.size(); ++i)
    settings.emplace_back(rows.get_text(i, "key"), rows.get_text(i, "value"));
  return settings;
}

}  // namespace

std::vector<JobSettings> settings_of_jobs(pg::Spi& spi, const std::string& schema,
                                          const std::string& name, Oid view) {
  const pg::Rows rows = spi.query(
      // The caller decides with engine::resolve_view() which of these jobs really refer to the
      // view.
      "SELECT view_schema, view_name, view_oid, given_schema, given_name, owner_oid, settings::text"
      " FROM metrics_refresh_internal.job WHERE (view_name = $2 AND view_schema = $1"
      "  OR given_name = $2 AND given_schema = $1 OR view_oid = $3) AND view_name IS NOT NULL"
      " AND NOT one_time ORDER BY job_id",
      {schema, name, pg::Param::oid(view)});
  std::vector<JobSettings> jobs;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    JobSettings& job = jobs.emplace_back();
    job.view.view_schema = rows.get_text(i, "view_schema");
    job.view.view_name = rows.get_text(i, "view_name");
    job.view.view_oid = rows.get_oid(i, "view_oid");
    job.view.given_schema = rows.get_text_or_empty(i, "given_schema");
    job.view.given_name = rows.get_text_or_empty(i, "given_name");
    job.view.owner_oid = rows.get_oid(i, "owner_oid");
    job.settings = read_settings(spi, rows.get_text_or_null(i, "settings"));
  }
  return jobs;
}

}  // namespace metrics_refresh::store
