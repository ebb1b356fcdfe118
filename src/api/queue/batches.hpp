// Batches: jobs with a callback job that is enqueued when the last of them has ended.
#pragma once

#include <cstdint>

namespace metrics_refresh::api {

/// Keeps the batch from ending until the transaction ends, so that a job can be added. Throws
/// SqlError 42704 if there is no such batch that the caller may use, and 55000 if it is closed. A
/// batch is open for the transaction that makes it, as long as it was made open, and for the jobs
/// in it while they run.
void use_batch(std::int64_t id);

}  // namespace metrics_refresh::api
