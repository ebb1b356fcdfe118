// Finds jobs and decides whether the caller may change them. The rule is the one that row-level
// security of the table job applies to reading; here it is for functions that write.
#pragma once

#include <string>
#include <vector>

#include "engine/view/view.hpp"
#include "store/job_names.hpp"

namespace metrics_refresh::api {

/// A super admin may manage every job. Other roles may manage the jobs that they own and the jobs
/// of views that they own.
bool may_manage(const store::JobKey& job);

/// True if this is the number of a job in place of its name, that is, if it consists of digits.
bool is_job_id(const std::string& name);

/// The job that the caller means by a name: the caller's own job, or else the one that it may
/// manage. If no job has this name, the name may be that of a view, with or without its schema. It
/// then means the only job that refreshes the view and that the caller may manage. Nothing if there
/// is none either. Throws SqlError 42501 if the caller may manage no job with this name. Throws
/// 42P09 if it may manage several and owns none of them.
std::optional<std::int64_t> find_managed(const std::string& name);

/// The same job, with all columns. Throws SqlError 42704 if there is none.
store::JobRecord managed_job(const std::string& name);

/// The name that is most similar to `name`, or empty if none is similar.
std::string most_similar(const std::string& name, std::vector<std::string> names);

[[noreturn]] void refuse_missing_job(const std::string& name);

/// Raises a notice with the same text, for functions that accept a missing job.
void report_missing_job(const std::string& name);

/// Throws SqlError 42501 unless the caller may have this view refreshed.
void require_refresh_rights(const engine::View& view);

/// Throws SqlError 42501 unless the caller may execute schedule_command(), which is the right to
/// write commands.
void require_right_to_commands();

/// The role on whose behalf the caller refreshes the view: the caller, if its rights are
/// sufficient. For a super admin without rights over the view, the owner of the view.
Oid refresher(const engine::View& view);

/// The name of the current role.
std::string current_role();

}  // namespace metrics_refresh::api
