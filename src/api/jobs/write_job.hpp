// Writing a row of the table job on a caller's behalf, with what is to be seen to beforehand: that
// another session does not change it meanwhile, and that the caller may replace what is there.
#pragma once

#include <string>
#include <vector>

#include "api/access.hpp"
#include "api/arguments.hpp"
#include "store/job_members.hpp"

namespace metrics_refresh::api {

/// What a job is about. Where all are empty, it is a group that lists its members.
struct Subject {
  std::string view_schema;
  std::string view_name;
  std::string command;
  std::string group_schema;
  std::vector<store::ViewName> members;
};

/// Whether a command has no statement: nothing but blanks and semicolons.
bool is_blank(const std::string& command);

/// The job that the caller means by this name, as it stays until the transaction ends: what is
/// decided about it must still be so when it is written. Nothing where there is none. Throws
/// SqlError 42501 or 42P09 as find_managed() does, and locks nothing then.
std::optional<store::JobRecord> find_and_lock_job(const std::string& name);

/// The same. Throws SqlError 42704 where there is none.
store::JobRecord locked_job(const std::string& name);

/// Whom a new job belongs to.
struct JobOwner {
  Oid role;
  bool chosen;  // by the argument owner: then no job of another role is replaced
};

/// What the argument `owner` says of a new job, else `usual`. Throws SqlError 42501 where the
/// caller may not give a job to that role.
JobOwner owner_of_new(const NamedArguments& arguments, Oid usual, bool is_command);

/// A command runs with all rights of its owner: throws SqlError 42501 unless the caller has those.
void require_rights_of(Oid role);
/// Throws SqlError 42704 where there is no such role.
Oid existing_role(const std::string& name);

/// Writes the job of this name, in place of the owner's own, else of one that the caller may manage
/// and that is the only one of the name; for a super admin, who may manage all, only where it
/// refreshes the same view. Returns its number.
std::int64_t put_job(const std::string& name, const Subject& subject, const JobOwner& owner,
                     const store::Columns& options);

/// Writes these columns of a job. Throws SqlError 42710 where its new owner has a job of its name.
void write_job(const store::JobRecord& job, const store::Columns& columns, bool restart);

/// settle_incremental() of a job that has just been written.
void settle_written(const std::vector<Oid>& before, std::int64_t job_id);

}  // namespace metrics_refresh::api
