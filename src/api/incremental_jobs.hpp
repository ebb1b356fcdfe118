// What a job's strategy asks for beside its row: views that a job wants to be refreshed
// incrementally are set up for it, and those that no job wants so any more are taken down.
#pragma once

#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::api {

/// The views that a job wants to be refreshed incrementally, as far as they exist.
std::vector<Oid> incremental_views(const store::JobRecord& job);

/// After a job was written, replaced or removed: `before` are its views of before. Throws what
/// engine::set_up_incremental() throws.
void settle_incremental(const std::vector<Oid>& before, const std::vector<Oid>& after);

}  // namespace metrics_refresh::api
