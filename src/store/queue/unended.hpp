// Jobs of a segment that have not ended, without their payload: enough to make them ready again.
#pragma once

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// The columns that make a job ready again.
struct Unended {
  Place place;
  std::optional<std::int64_t> batch;
  KeyHash key = 0;
  TypeId type = 0;
  std::int16_t priority = 0;
  std::int16_t version = 0;
  std::int16_t flags = 0;
};

Unended unended_of(const Job& job);

struct UnendedRead {
  std::size_t count = 0;  // of jobs in the buffer, by ascending number
  /// All numbers up to this one have been read. The next read begins after it.
  JobNumber until = 0;
};

/// Reads jobs of a segment with after < number <= last, from an index and never from its start: as
/// many as fit into `jobs`, and not more than 50,000 rows at a time. until == last means that there
/// are no more. Two reads with different snapshots may miss a job that was moved in between, like
/// any two reads.
UnendedRead read_unended(std::uint8_t segment, JobNumber after, JobNumber last, Snapshot snapshot,
                         Unended* jobs, std::size_t most);

}  // namespace metrics_refresh::store::queue
