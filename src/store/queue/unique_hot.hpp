// Ready jobs by their unique key.
#pragma once

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// Returns true to end the search. May raise a server error.
using UniqueVisitor = bool (*)(void* context, const Job& job);

/// Visits the jobs of all segments that have this unique_hash and no end mark. Different keys may
/// have the same hash. The values of a job are in the current memory context.
void visit_unique_hot(std::int64_t hash, Snapshot snapshot, UniqueVisitor visit, void* context);

}  // namespace metrics_refresh::store::queue
