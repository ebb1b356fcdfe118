// The consequences of a job's strategy for its views. A view that a job refreshes incrementally is
// set up for it. A view that no job refreshes incrementally any more is taken down.
#pragma once

#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::api {

/// The views that the job refreshes incrementally, if they exist.
std::vector<Oid> incremental_views(const store::JobRecord& job);

/// Called after a job was written or replaced. `before` are its incremental views before that. Acts
/// for the job's owner and for the caller, unless the caller is a super admin. Throws the errors of
/// engine::set_up_incremental().
void set_up_views_of_job(const std::vector<Oid>& before, const store::JobRecord& job);

/// Called after a job was removed. The scheduler removes the delta tables and triggers that no
/// other job needs.
void release_views_of_job(const std::vector<Oid>& before);

}  // namespace metrics_refresh::api
