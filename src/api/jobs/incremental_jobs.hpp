// What a job's strategy asks for beside its row: views that a job wants to be refreshed
// incrementally are set up for it, and those that no job wants so any more are taken down.
#pragma once

#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::api {

/// The views that a job wants to be refreshed incrementally, as far as they exist.
std::vector<Oid> incremental_views(const store::JobRecord& job);

/// After a job was written or replaced: `before` are its views of before. In the name of the job's
/// owner and the caller; a super admin has the right himself. Throws what
/// engine::set_up_incremental() throws.
void settle_incremental(const std::vector<Oid>& before, const store::JobRecord& job);

/// After a job was removed: the scheduler takes away what no other job needs.
void leave_incremental(const std::vector<Oid>& before);

}  // namespace metrics_refresh::api
