// Where new jobs go: their numbers, and the segment for their rows.
#pragma once

#include "shmem/queue/place.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// New numbers for jobs and batches that follow each other: at least one, and at most `count`.
/// REQUIRES: require_queue() in this transaction, which may write.
shmem::queue::Numbers new_numbers(std::uint32_t count);

/// Locks the segment for new rows until the transaction ends, and returns it.
std::uint8_t lock_segment_for_rows();

/// Appends jobs with new numbers, or the next versions of jobs, and notes their rows. Sets segment
/// and tid of each. The live counts are the caller's to note.
void append_and_note(Job* jobs, std::size_t count);

}  // namespace metrics_refresh::store::queue
