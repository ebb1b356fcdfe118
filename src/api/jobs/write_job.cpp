// Writes a row of the table job for a caller.
//
// put_job() first looks for a job that the new one replaces. It locks that job and checks it again,
// because the job may have changed before the lock. If there is none, it inserts a row, and starts
// over if another session inserted the same name in the meantime. A session waits only for jobs of
// the owner that it acts for, never for other roles.
#include "api/jobs/write_job.hpp"

#include <algorithm>

#include "api/jobs/incremental_jobs.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

// All options of a group return to their defaults if the job was a group before.
store::Columns columns_of(const Subject& subject, Oid owner, const store::Columns& options) {
  store::Columns columns = {{"view_schema", Param::text_or_null(subject.view_schema)},
                            {"view_name", Param::text_or_null(subject.view_name)},
                            {"given_schema", Param::text_or_null("")},
                            {"given_name", Param::text_or_null("")},
                            {"command", Param::text_or_null(subject.command)},
                            {"group_schema", Param::text_or_null(subject.group_schema)},
                            {"owner", pg::role_name(owner)},
                            {"owner_oid", Param::oid(owner)},
                            {"one_time", false}};
  columns.insert(columns.end(), options.begin(), options.end());
  return columns;
}

void check_name(const std::string& name) {
  if (name.empty())
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "job_name must not be empty");
  // Functions accept a number in place of a name.
  if (is_job_id(name))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "job_name must not consist of digits alone",
                       "In place of a name, such a text means the job of this number.");
}

std::optional<store::JobRecord> read_job(std::int64_t id) {
  std::optional<store::JobRecord> job;
  extension::as_extension([&](pg::Spi& spi) { job = store::find_job(spi, id); });
  return job;
}

// Locks the job. The owner of its view may also hold the lock, for any length of time. If the view
// belongs to another role than the job, this function raises an error instead of waiting.
void lock_or_refuse(pg::Spi& spi, std::int64_t id, Oid owner, Oid view) {
  const Oid view_owner = OidIsValid(view) ? engine::relation_owner(view) : InvalidOid;
  if (!OidIsValid(view_owner) || view_owner == owner) return store::lock_job(spi, id);
  if (store::try_lock_job(spi, id) || !store::find_key(spi, id)) return;
  throw pg::SqlError(ERRCODE_LOCK_NOT_AVAILABLE,
                     "job " + std::to_string(id) + " is being changed by another session",
                     "Try again when its transaction has ended.",
                     "Its view belongs to another role, whose transaction is not waited for.");
}

// The job of the owner with this name, locked.
std::optional<store::JobRecord> lock_own(const std::string& name, Oid owner) {
  std::optional<store::JobRecord> job;
  extension::as_extension([&](pg::Spi& spi) {
    std::int64_t locked = 0;
    // After the lock, the job may be gone and another one may have its name. Repeat until the lock
    // and the name agree.
    while ((job = store::find_job(spi, name, owner)) && job->id != locked)
      lock_or_refuse(spi, locked = job->id, owner, engine::resolve_view(*job));
  });
  return job;
}

// A super admin may manage all jobs. To replace any job with the same name would be a surprise, so
// it must refresh the same view.
bool is_in_place_of(const Subject& subject, const store::JobKey& job) {
  if (!may_manage(job)) return false;
  if (!extension::is_super_admin()) return true;
  return !job.view_name.empty() && !subject.view_name.empty() &&
         engine::resolve_view(job) ==
             engine::resolve_view({subject.view_schema, subject.view_name});
}

// A job of another role that the new one replaces, locked. Waiting for sessions of other roles is
// avoided. Jobs of other roles do not reserve a name either: the new job is then added beside them.
std::optional<store::JobRecord> lock_replaced(const std::string& name, const Subject& subject) {
  std::vector<store::JobKey> jobs;
  extension::as_extension([&](pg::Spi& spi) { jobs = store::jobs_named(spi, name); });
  jobs.erase(
      std::remove_if(jobs.begin(), jobs.end(),
                     [&](const store::JobKey& job) { return !is_in_place_of(subject, job); }),
      jobs.end());
  // If several jobs could be meant, none is replaced.
  if (jobs.size() != 1) return std::nullopt;
  const std::int64_t id = jobs.front().id;
  std::optional<store::JobKey> job;
  extension::as_extension([&](pg::Spi& spi) {
    if (store::try_lock_job(spi, id)) job = store::find_key(spi, id);
  });
  // The job was given to another role a moment ago.
  if (!job || !is_in_place_of(subject, *job)) return std::nullopt;
  return read_job(id);
}

void replace_job(const store::JobRecord& job, const Subject& subject, const store::Columns& columns,
                 const JobShare& share) {
  // Before the write, because the row then has the new strategy.
  const std::vector<Oid> before = incremental_views(job);
  write_job(job, columns, true);
  extension::as_extension(
      [&](pg::Spi& spi) { store::replace_members(spi, job.id, subject.members); });
  share.check();
  set_up_views_of_written_job(before, job.id);
}

}  // namespace

bool is_blank(const std::string& command) {
  return command.find_first_not_of(" \t\r\n;") == std::string::npos;
}

std::optional<store::JobRecord> find_and_lock_job(const std::string& name) {
  std::optional<std::int64_t> id;
  std::int64_t locked = 0;
  // After the lock, the job may be gone or belong to another role.
  while ((id = find_managed(name)) && *id != locked)
    extension::as_extension([&](pg::Spi& spi) {
      locked = *id;
      if (const auto job = store::find_key(spi, locked))
        lock_or_refuse(spi, locked, job->owner_oid, engine::resolve_view(*job));
    });
  return id ? read_job(*id) : std::nullopt;
}

store::JobRecord locked_job(const std::string& name) {
  std::optional<store::JobRecord> job = find_and_lock_job(name);
  if (!job) refuse_missing_job(name);
  return std::move(*job);
}

Oid existing_role(const std::string& name) {
  const Oid role = pg::role_oid(name);
  if (!OidIsValid(role))
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "role \"" + name + "\" does not exist");
  return role;
}

void require_rights_of(Oid role) {
  if (!pg::has_rights_of(role))
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "must be member of role \"" + pg::role_name(role) + "\"",
                       "A command runs with all rights of its owner.");
}

JobOwner owner_of_new(const NamedArguments& arguments, Oid usual, bool is_command) {
  const std::optional<std::string> name = arguments.get_name("owner");
  if (!name) return {usual, false};
  const Oid role = existing_role(*name);
  if (role != GetUserId()) extension::require_super_admin("making a job for another role");
  if (is_command) require_rights_of(role);
  return {role, true};
}

void write_job(const store::JobRecord& job, const store::Columns& columns, bool restart) {
  try {
    extension::as_extension(
        [&](pg::Spi& spi) { store::update_job(spi, job.id, columns, restart); });
  } catch (const pg::PgError& error) {
    // The unique index decides: a check beforehand could not exclude other sessions.
    if (error.sqlstate() != ERRCODE_UNIQUE_VIOLATION) throw;
    throw pg::SqlError(ERRCODE_DUPLICATE_OBJECT,
                       "the new owner of job \"" + job.name + "\" has a job of this name already",
                       "Names of jobs are unique for each owner: remove one of the two.");
  }
}

void set_up_views_of_written_job(const std::vector<Oid>& before, std::int64_t job_id) {
  if (const std::optional<store::JobRecord> job = read_job(job_id))
    set_up_views_of_job(before, *job);
}

std::int64_t put_job(const std::string& name, const Subject& subject, const JobOwner& owner,
                     const store::Columns& options) {
  check_name(name);
  check_length("job_name", static_cast<std::int64_t>(name.size()), store::kMaxJobName);
  const JobShare share(owner.role);
  const store::Columns columns = columns_of(subject, owner.role, options);
  // If another session has just inserted a job with this name and owner, that job is replaced.
  for (;;) {
    std::optional<store::JobRecord> job = lock_own(name, owner.role);
    if (!job && !owner.chosen) job = lock_replaced(name, subject);
    if (job) {
      replace_job(*job, subject, columns, share);
      return job->id;
    }
    store::Columns row = columns;
    row.emplace_back("job_name", name);
    std::optional<std::int64_t> id;
    extension::as_extension([&](pg::Spi& spi) {
      id = store::insert_job(spi, row);
      if (id) store::replace_members(spi, *id, subject.members);
    });
    if (!id) continue;
    share.check();
    set_up_views_of_written_job({}, *id);
    return *id;
  }
}

}  // namespace metrics_refresh::api
