// Jobs whose end is awaited: by the scheduler for `after`, and by sessions in wait_job(). A filter
// of 64 kbit (two bits a job) has the numbers of all awaited jobs, and some others. An end that is
// in the filter is put into a ring of the last 1,024 such ends, and wakes all processes that wait.
// So an end that is not awaited costs a look at two bits.
//
// Nothing is missed if a waiter (1) calls await(), (2) then takes a snapshot and looks whether the
// job has ended, and (3) then reads the ring from the position that await() has returned. An end
// becomes visible first, and looks at the filter after that.
#pragma once

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

/// A position in the ring. It is lost if more than 1,024 ends followed.
using RingPosition = std::uint64_t;

struct AwaitedEnd {
  JobNumber job = 0;
  XLogRecPtr lsn = InvalidXLogRecPtr;  // flush to it before the end is told
};

/// Adds the jobs to the filter, and returns the present position.
RingPosition await(const JobNumber* jobs, std::uint32_t count) noexcept;

struct AwaitedNews {
  RingPosition position = 0;  // for the next call
  std::uint32_t count = 0;    // of ends
  /// Ends may be missing: the position was lost, or the filter was emptied. The waiter calls
  /// await() again, and looks at the rows of all its jobs.
  bool look_again = false;
};
/// The ends since `position`, at most `most`; call it again if there are as many.
AwaitedNews awaited_ends(RingPosition position, AwaitedEnd* ends, std::uint32_t most) noexcept;

/// For wait_job(), as prepare_for_run_end() and others of shmem/worker_slots. REQUIRES: inside
/// pg::call().
void prepare_for_awaited();
void sleep_until_awaited(long timeout);
void cancel_awaited_sleep();

/// For the scheduler. More than half of the bits are set: it calls empty_filter() and then await()
/// with all that it awaits. Others hear of it by `look_again`.
bool filter_is_full() noexcept;
void empty_filter() noexcept;

/// A batch of which a job has ended, and which may have no other: 0 are open, or its count is not
/// known. The scheduler verifies it by the index on the rows.
struct BatchEnd {
  std::int64_t batch = 0;
  XLogRecPtr lsn = InvalidXLogRecPtr;
};
struct BatchNews {
  std::uint32_t count = 0;
  /// Look at all closed batches: some ends were lost, or batches were made or closed.
  bool all = false;
};
/// For the scheduler: takes up to `most` of them.
BatchNews take_batch_ends(BatchEnd* ends, std::uint32_t most) noexcept;
/// The batch was deleted: its count is not kept any longer.
void forget_batch(std::int64_t batch) noexcept;

}  // namespace metrics_refresh::shmem::queue
