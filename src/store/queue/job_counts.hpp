// Counts jobs of queue_later, and batches, with the active snapshot. Each reads a whole table or
// index: only for the live counts in shared memory, when these are not known.
//
// All functions REQUIRE: inside extension::as_extension(), whose Spi they get.
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

struct LaterJobs {
  TypeId type = 0;
  std::int64_t jobs = 0;
  std::int64_t failed = 0;  // of them
};
std::vector<LaterJobs> count_later_jobs(pg::Spi& spi);

struct LaterJobsOfBatch {
  std::int64_t batch = 0;
  std::int64_t jobs = 0;
};
std::vector<LaterJobsOfBatch> count_later_jobs_of_batches(pg::Spi& spi);

struct OpenBatches {
  TypeId type = 0;  // of their callbacks
  std::int64_t batches = 0;
};
/// Batches whose callbacks are no jobs yet.
std::vector<OpenBatches> count_batches(pg::Spi& spi);

}  // namespace metrics_refresh::store::queue
