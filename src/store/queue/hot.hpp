// Ready jobs: rows of the children of queue_hot, which are logs. Rows are appended below the
// executor, so no trigger, default or policy takes part, and nothing here is SQL text.
//
// A row is a job if it is visible and has no end mark (ended.hpp). The caller claims or holds the
// number first, and takes the snapshot after that. All functions open tables by cached numbers, and
// throw SqlError 55000 if the extension is missing.
#pragma once

#include "store/queue/unended.hpp"

namespace metrics_refresh::store::queue {

/// Locks a child for rows of this transaction. No other session waits for this lock, and a child
/// that is locked is not emptied.
void lock_segment(std::uint8_t segment);
/// Gives the lock back. REQUIRES: the transaction has written nothing there.
void unlock_segment(std::uint8_t segment);

/// Locks the current child and returns its number. `current()` reads the number from shared memory.
/// It is read again under the lock, so that no row is written to a child that has become free.
template <typename Current>
std::uint8_t lock_current_segment(Current&& current) {
  for (;;) {
    const std::uint8_t segment = current();
    lock_segment(segment);
    if (current() == segment) return segment;
    unlock_segment(segment);
  }
}

/// Appends rows to a child, and sets segment and tid of each job. The transaction itself sees them
/// after CommandCounterIncrement(). REQUIRES: lock_current_segment() in this transaction; the
/// numbers are new, or the version is (next_version()).
void append_jobs(std::uint8_t segment, Job* jobs, std::size_t count);

/// Returns the job, with all values copied into the current memory context, or nothing if there is
/// no visible row without an end mark in this segment. The lock of the child is released at once,
/// so that a long handler holds none. REQUIRES: `snapshot` was taken after the job was claimed.
std::optional<Job> read_job(const Place& place, Snapshot snapshot);

/// The same for several. `jobs` gets those that were found, in the order of the places. Returns how
/// many. Places of one segment that follow each other share the opening of its tables.
std::size_t read_jobs(const Place* places, std::size_t count, Snapshot snapshot, Job* jobs);

/// Bytes of a child's rows on disk, without its indexes.
std::int64_t segment_bytes(std::uint8_t segment);

}  // namespace metrics_refresh::store::queue
