// News of a transaction for the queue, posted when it has become visible and its locks are released
// (RESOURCE_RELEASE_AFTER_LOCKS, as store/job_changes.cpp does). Interrupts are held from the
// commit to then, so that news is lost only together with the server.
#pragma once

#include "shmem/queue/live_counts.hpp"
#include "shmem/queue/role_shares.hpp"

namespace metrics_refresh::shmem::queue {

struct TypeChange {
  TypeId type = 0;
  Counts counts;  // differences
  Ends ends;
  bool has_new_settings = false;  // its row in job_type was written
};
/// A job that has ended in this transaction: completed, dead or canceled.
struct Ended {
  JobNumber job = 0;
  std::int64_t batch = 0;  // 0: none
};

/// The part of a post that needs no array of the caller.
struct PostFlags {
  std::int32_t segments[kSegments] = {};  // the difference of rows without an end mark
  TimestampTz later_due = PG_INT64_MAX;   // the earliest run_at of a new row in queue_later
  bool has_dependencies = false;          // rows were added to queue_dependency
  bool has_batches = false;               // batches were made or closed
  bool types_changed = false;             // in job_type
  bool counts_are_unknown = false;        // too many changes to list them: asks for a recount
  std::uint8_t rereads = 0;               // segments with ready jobs that are not in `jobs`: bits
};

/// All arrays are the caller's, and may be null if their count is 0.
struct Posts : PostFlags {
  TransactionNumber transaction = 0;   // GetTopFullTransactionIdIfAny(), asked before it is gone
  XLogRecPtr lsn = InvalidXLogRecPtr;  // XactLastCommitEnd; for processes that await an end
  const Jobs* jobs = nullptr;          // ready ones
  std::uint32_t job_count = 0;
  const TypeChange* types = nullptr;
  std::uint32_t type_count = 0;
  const BatchCount* batches = nullptr;  // jobs added to them
  std::uint32_t batch_count = 0;
  const Ended* ended = nullptr;
  std::uint32_t ended_count = 0;
  const Promise* promises = nullptr;  // `types` has the jobs that were added
  std::uint32_t promise_count = 0;
};

/// Posts the news, and wakes idle workers of the owners, at most as many as jobs; otherwise the
/// scheduler. Does nothing without a place.
void post(const Posts& posts) noexcept;

}  // namespace metrics_refresh::shmem::queue
