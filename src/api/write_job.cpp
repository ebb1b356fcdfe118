#include "api/write_job.hpp"

#include "api/incremental_jobs.hpp"
#include "api/shares.hpp"
#include "pg/privilege.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

Param text_or_null(const std::string& text) {
  return text.empty() ? Param::null(TEXTOID) : Param(text);
}

// A group's own options go back to their defaults with what the job was before.
store::Columns columns_of(const Subject& subject, Oid owner, const store::Columns& options) {
  store::Columns columns = {{"view_schema", text_or_null(subject.view_schema)},
                            {"view_name", text_or_null(subject.view_name)},
                            {"command", text_or_null(subject.command)},
                            {"group_schema", text_or_null(subject.group_schema)},
                            {"owner", pg::role_name(owner)},
                            {"owner_oid", Param::oid(owner)},
                            {"one_time", false}};
  columns.insert(columns.end(), options.begin(), options.end());
  return columns;
}

}  // namespace

bool is_blank(const std::string& command) {
  return command.find_first_not_of(" \t\r\n;") == std::string::npos;
}

// Who has no right to a job does not get a lock on it either. It may be another one by the time it
// is locked.
std::optional<store::JobRecord> try_lock_job(const std::string& name) {
  std::optional<store::JobRecord> job;
  with_tables([&](pg::Spi& spi) { job = store::find_job(spi, name); });
  if (!job) return std::nullopt;
  require_management(*job);
  with_tables([&](pg::Spi& spi) {
    store::lock_job(spi, name);
    job = store::find_job(spi, name);
  });
  if (job) require_management(*job);
  return job;
}

store::JobRecord locked_job(const std::string& name) {
  std::optional<store::JobRecord> job = try_lock_job(name);
  return job ? std::move(*job) : managed_job(name);
}

std::int64_t put_job(const std::string& name, const Subject& subject, Oid owner,
                     const store::Columns& options) {
  if (name.empty())
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "job_name must not be empty");
  check_length("job_name", static_cast<std::int64_t>(name.size()), store::kMaxJobName);
  const JobShare share(owner);
  const store::Columns columns = columns_of(subject, owner, options);
  // Where another session has just made one of this name, that one is replaced.
  std::optional<store::JobRecord> present;
  while (!(present = try_lock_job(name))) {
    store::Columns row = columns;
    row.emplace_back("job_name", name);
    std::optional<std::int64_t> id;
    with_tables([&](pg::Spi& spi) {
      id = store::insert_job(spi, row);
      if (id) store::replace_members(spi, *id, subject.members);
    });
    if (!id) continue;
    share.check();
    settle_incremental({}, managed_job(name));
    return *id;
  }
  const store::JobRecord& job = *present;
  const std::vector<Oid> before = incremental_views(job);
  with_tables([&](pg::Spi& spi) {
    store::update_job(spi, job.id, columns, true);
    store::replace_members(spi, job.id, subject.members);
  });
  share.check();
  settle_incremental(before, managed_job(name));
  return job.id;
}

}  // namespace metrics_refresh::api
