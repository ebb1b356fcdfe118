// The order in which the runs that wait would start, for those who look. It goes through the turns
// as ReadyRuns does, and reads of each owner's queue no more than it needs.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "core/scheduler/ready_runs.hpp"

namespace metrics_refresh::core {

/// What of a job waits, in its order, at most so many.
using StartsOf = std::function<std::vector<std::pair<Rank, Start>>(JobId, std::size_t)>;

/// The first `most` of them, as though a worker were free for each at `now` and no owner had a
/// limit.
std::vector<Start> preview(const ReadyRuns& ready, std::size_t most, Instant now,
                           const StartsOf& starts_of);

}  // namespace metrics_refresh::core
