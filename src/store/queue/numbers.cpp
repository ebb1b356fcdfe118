#include "store/queue/numbers.hpp"

#include "extension/own_schema.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/news.hpp"
#include "store/queue/segments.hpp"

namespace metrics_refresh::store::queue {
namespace {

std::uint8_t current_segment_in_table() {
  std::uint8_t current = 0;
  extension::as_extension([&](pg::Spi& spi) {
    for (const Segment& segment : read_segments(spi))
      if (segment.state == Segment::State::kCurrent) current = segment.number;
  });
  return current;
}

std::uint8_t current_segment() {
  const int segment = shmem::queue::current_segment();
  if (segment >= 0) return static_cast<std::uint8_t>(segment);
  return static_cast<std::uint8_t>(shmem::queue::offer_current_segment(current_segment_in_table()));
}

}  // namespace

shmem::queue::Numbers new_numbers(std::uint32_t count) {
  const shmem::queue::Numbers numbers = shmem::queue::take_numbers(count);
  if (numbers.count > 0) return numbers;
  // Without a look at privileges, as for a serial column.
  const JobNumber first = pg::call([] {
    const Oid schema = get_namespace_oid(extension::kInternalSchema, false);
    return nextval_internal(get_relname_relid("queue_job_id_seq", schema), false);
  });
  return shmem::queue::add_block(first, count);
}

std::uint8_t lock_segment_for_rows() { return lock_current_segment(current_segment); }

void append_and_note(Job* jobs, std::size_t count) {
  const std::uint8_t segment = lock_segment_for_rows();
  append_jobs(segment, jobs, count);
  shmem::queue::Jobs span = {};
  const auto note = [&span] {
    if (span.first != 0) note_ready(span, static_cast<std::int32_t>(span.last - span.first + 1));
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Job& job = jobs[i];
    const KeyHash key = key_hash(job.key);
    if (span.type == job.type && span.key == key && span.priority == job.priority &&
        span.last + 1 == job.id) {
      span.last = job.id;
      continue;
    }
    note();
    span = {job.type, key, job.priority, segment, job.id, job.id, job.tid};
  }
  note();
}

}  // namespace metrics_refresh::store::queue
