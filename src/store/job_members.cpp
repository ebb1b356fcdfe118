#include "store/job_members.hpp"

namespace metrics_refresh::store {

std::vector<ViewName> members_of(pg::Spi& spi, std::int64_t job_id) {
  const pg::Rows rows = spi.query(
      "SELECT view_schema, view_name FROM metrics_refresh_internal.job_member WHERE job_id = $1",
      {job_id});
  std::vector<ViewName> views;
  for (std::size_t i = 0; i < rows.size(); ++i)
    views.emplace_back(rows.get_text(i, "view_schema"), rows.get_text(i, "view_name"));
  return views;
}

void replace_members(pg::Spi& spi, std::int64_t job_id, const std::vector<ViewName>& views) {
  spi.query("DELETE FROM metrics_refresh_internal.job_member WHERE job_id = $1", {job_id});
  for (const auto& [schema, name] : views)
    spi.query(
        "INSERT INTO metrics_refresh_internal.job_member (job_id, view_schema, view_name)"
        " VALUES ($1, $2, $3)",
        {job_id, schema, name});
}

}  // namespace metrics_refresh::store
