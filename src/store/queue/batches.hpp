// Batches: queue_batch. The number of a batch is the number that its callback job will have, so it
// comes from the numbers of jobs.
//
// Functions with an Spi REQUIRE: inside extension::as_extension().
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

struct Batch {
  JobNumber id = 0;
  TimestampTz created_at = 0;
  TypeId type = 0;  // of the callback
  Oid enqueued_by = InvalidOid;
  bool is_open = false;
  const Jsonb* payload = nullptr;
};

void insert_batch(const Batch& batch);
/// Returns the batch, with a payload that is valid until the Spi ends.
std::optional<Batch> read_batch(pg::Spi& spi, JobNumber id);
/// The callback of a batch, while it is not added yet: its number, its type and who has enqueued
/// it.
std::optional<Job> future_callback(pg::Spi& spi, JobNumber id, Snapshot snapshot);
/// Returns false if it is closed already, or does not exist.
bool close_batch(pg::Spi& spi, JobNumber id);
/// Takes out a batch that is closed, so that its callback can be appended in the same transaction.
/// Nothing if another transaction has locked its row, which may take any time.
std::optional<Batch> take_closed_batch(pg::Spi& spi, JobNumber id);
/// Batches by ascending number after `after`, for the start after a crash.
std::vector<std::int64_t> read_batches(pg::Spi& spi, JobNumber after, std::size_t most);
/// Counts the jobs of a batch that have not ended, by the partial indexes.
std::int64_t count_open_jobs(pg::Spi& spi, JobNumber batch);

}  // namespace metrics_refresh::store::queue
