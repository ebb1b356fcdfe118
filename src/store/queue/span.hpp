// Reads a span of numbers that may be jobs, for a holder that shared memory has asked to
// (core/queue/ready_work.hpp: kRead).
#pragma once

#include "shmem/queue/work.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// The most jobs of a span that are put back one by one.
inline constexpr std::size_t kMostInSpan = 256;

struct SpanRead {
  std::uint32_t count = 0;  // of jobs in the buffer
  JobNumber until = 0;      // all numbers up to this one have been read
};
/// Puts the jobs of the span's lane into `found`, which has room for kMostInSpan. REQUIRES:
/// `snapshot` was taken after the span was claimed.
SpanRead read_span(const shmem::queue::Reading& span, Snapshot snapshot,
                   shmem::queue::Found* found);

}  // namespace metrics_refresh::store::queue
