// Writing a row of the table job on a caller's behalf, with what is to be seen to beforehand: that
// another session does not change it meanwhile, and that the caller may replace what is there.
#pragma once

#include <string>
#include <vector>

#include "api/access.hpp"
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

/// The job of this name, which the caller may manage, as it stays until the transaction ends, or
/// nothing. Throws SqlError 42501, and locks nothing, where the caller may not manage it.
std::optional<store::JobRecord> try_lock_job(const std::string& name);

/// The job of this name, which the caller may manage, as it stays until the transaction ends: what
/// is decided about it must still be so when it is written, and it must still be there.
store::JobRecord locked_job(const std::string& name);

/// Writes the job of this name, in place of one that exists and that the caller may manage. Returns
/// its number.
std::int64_t put_job(const std::string& name, const Subject& subject, Oid owner,
                     const store::Columns& options);

}  // namespace metrics_refresh::api
