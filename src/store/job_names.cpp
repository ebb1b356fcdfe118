// Lookups of jobs by name. Keys are read by read_keys() alone, so that their order is the same
// everywhere.
#include "store/job_names.hpp"

namespace metrics_refresh::store {
namespace {

// Jobs made for one run come last: their names do not reserve anything.
std::vector<JobKey> read_keys(pg::Spi& spi, const char* condition, const pg::Param& param) {
  const pg::Rows rows =
      spi.query(std::string("SELECT job_id, owner, owner_oid, view_schema, view_name, view_oid,"
                            " given_schema, given_name"
                            " FROM metrics_refresh_internal.job WHERE ") +
                    condition + " ORDER BY one_time, job_id",
                {param});
  std::vector<JobKey> keys;
  for (std::size_t i = 0; i < rows.size(); ++i)
    keys.push_back(
        {{rows.get_text_or_empty(i, "view_schema"), rows.get_text_or_empty(i, "view_name"),
          rows.get_oid(i, "view_oid"), rows.get_text_or_empty(i, "given_schema"),
          rows.get_text_or_empty(i, "given_name"), rows.get_oid(i, "owner_oid")},
         rows.get_int64(i, "job_id"),
         rows.get_text(i, "owner")});
  return keys;
}

}  // namespace

std::vector<JobKey> jobs_named(pg::Spi& spi, const std::string& name) {
  return read_keys(spi, "job_name = $1", name);
}

std::vector<JobKey> jobs_of_view(pg::Spi& spi, const std::string& view) {
  return read_keys(spi,
                   "NOT one_time AND $1 IN (view_name, view_schema || '.' || view_name,"
                   " quote_ident(view_schema) || '.' || quote_ident(view_name))",
                   view);
}

// Used for the hint after a misspelled name. The first letter or the last two must match, which
// keeps the candidates few. The query reads the view job, not the table: a hint must not reveal
// jobs that the caller cannot see.
std::vector<std::string> names_like(pg::Spi& spi, const std::string& name) {
  const pg::Rows rows = spi.query(
      "SELECT job_name FROM metrics_refresh.job"
      " WHERE NOT one_time AND (lower(left(job_name, 1)) = lower(left($1, 1))"
      " OR lower(right(job_name, 2)) = lower(right($1, 2)))"
      " GROUP BY job_name ORDER BY abs(length(job_name) - length($1)), job_name LIMIT 1000",
      {name});
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) names.push_back(rows.get_text(i, "job_name"));
  return names;
}

std::optional<JobKey> find_key(pg::Spi& spi, std::int64_t id) {
  const std::vector<JobKey> keys = read_keys(spi, "job_id = $1", id);
  if (keys.empty()) return std::nullopt;
  return keys.front();
}

std::optional<JobRecord> find_job(pg::Spi& spi, const std::string& name, Oid owner) {
  const pg::Rows rows = spi.query(
      "SELECT job_id FROM metrics_refresh_internal.job WHERE job_name = $1 AND owner_oid = $2"
      " AND owner_oid <> '0'::oid AND NOT one_time",
      {name, pg::Param::oid(owner)});
  if (rows.empty()) return std::nullopt;
  return find_job(spi, rows.get_int64(0, "job_id"));
}

// NO KEY UPDATE, so that a request can still be inserted for the job: its foreign key takes FOR KEY
// SHARE.
void lock_job(pg::Spi& spi, std::int64_t id) {
  spi.query("SELECT FROM metrics_refresh_internal.job WHERE job_id = $1 FOR NO KEY UPDATE", {id});
}

bool try_lock_job(pg::Spi& spi, std::int64_t id) {
  return !spi.query(
                 "SELECT job_id FROM metrics_refresh_internal.job WHERE job_id = $1"
                 " FOR NO KEY UPDATE SKIP LOCKED",
                 {id})
              .empty();
}

}  // namespace metrics_refresh::store
