#include "store/queue/span.hpp"

#include <memory>

#include "store/queue/unended.hpp"

namespace metrics_refresh::store::queue {

SpanRead read_span(const shmem::queue::Reading& span, Snapshot snapshot,
                   shmem::queue::Found* found) {
  const auto jobs = std::make_unique<Unended[]>(kMostInSpan);
  const UnendedRead read =
      read_unended(span.segment, span.first - 1, span.last, snapshot, jobs.get(), kMostInSpan);
  SpanRead result;
  result.until = read.until;
  for (std::size_t i = 0; i < read.count; ++i) {
    const Unended& job = jobs[i];
    if (job.type == span.type && span.includes(job.key))
      found[result.count++] = {job.place.id, job.key, job.place.tid};
  }
  return result;
}

}  // namespace metrics_refresh::store::queue
