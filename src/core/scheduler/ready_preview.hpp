// The order in which waiting runs would start, for display. It follows the same rules as ReadyRuns,
// and reads no more of each owner's queue than it needs.
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

/// Returns the starts of a job that wait, in their order, at most so many.
using StartsOf = std::function<std::vector<std::pair<Rank, Start>>(JobId, std::size_t)>;

/// Returns the first `most` starts, on the assumption that a worker is free for each at `now` and
/// no owner has a limit.
std::vector<Start> preview(const ReadyRuns& ready, std::size_t most, Instant now,
                           const StartsOf& starts_of);

}  // namespace metrics_refresh::core
