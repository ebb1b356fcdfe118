// Writes a row of the table job for a caller. Another session must not change the row between the
// checks and the write, and the caller must be allowed to replace the present row.
#pragma once

#include <string>
#include <vector>

#include "api/access.hpp"
#include "api/arguments.hpp"
#include "store/job_members.hpp"

namespace metrics_refresh::api {

/// The subject of a job: a view, a command or a schema. If all are empty, the job is a group that
/// lists its members.
struct Subject {
  std::string view_schema;
  std::string view_name;
  std::string command;
  std::string group_schema;
  std::vector<store::ViewName> members;
};

/// True if a command contains no statement, but only white space and semicolons.
bool is_blank(const std::string& command);

/// The job that the caller means by this name, locked until the transaction ends, so that the
/// caller's checks stay valid. Nothing if there is none. Throws SqlError 42501 or 42P09 like
/// find_managed(), before any lock is taken.
std::optional<store::JobRecord> find_and_lock_job(const std::string& name);

/// The same. Throws SqlError 42704 if there is no such job.
store::JobRecord locked_job(const std::string& name);

/// The owner of a new job.
struct JobOwner {
  Oid role;
  bool chosen;  // given by the argument owner: jobs of other roles are then not replaced
};

/// The role in the argument `owner`, else `usual`. Throws SqlError 42501 if the caller may not give
/// a job to that role.
JobOwner owner_of_new(const NamedArguments& arguments, Oid usual, bool is_command);

/// Throws SqlError 42501 unless the caller has the rights of the role: a command runs with all
/// rights of its owner.
void require_rights_of(Oid role);
/// Throws SqlError 42704 if the role does not exist.
Oid existing_role(const std::string& name);

/// Writes the job with this name. It replaces the owner's own job, or else the only job with this
/// name that the caller may manage. A super admin may manage all jobs, so a job of another role is
/// replaced only if it refreshes the same view. Returns the number of the job.
std::int64_t put_job(const std::string& name, const Subject& subject, const JobOwner& owner,
                     const store::Columns& options);

/// Writes these columns of a job. Throws SqlError 42710 if the new owner already has a job with
/// this name.
void write_job(const store::JobRecord& job, const store::Columns& columns, bool restart);

/// Calls set_up_views_of_job() for a job that has just been written.
void set_up_views_of_written_job(const std::vector<Oid>& before, std::int64_t job_id);

}  // namespace metrics_refresh::api
