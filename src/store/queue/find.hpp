// Where a job is, by its number or by its unique key, over all tables of the queue.
//
// A search reads several tables with one snapshot. A job that is moved after the snapshot may be
// missed if its old segment is emptied before the search gets there, because TRUNCATE takes rows
// away from every snapshot. So the caller reads the count of truncations (shared memory) before the
// snapshot and after the search, and repeats both if it has changed.
//
// All functions REQUIRE: inside extension::as_extension(), whose Spi they get.
#pragma once

#include "pg/spi.hpp"
#include "store/queue/ended.hpp"

namespace metrics_refresh::store::queue {

enum class Where { kNowhere, kHot, kLater, kStopped, kHistory };

struct FoundJob {
  Where where = Where::kNowhere;
  Job job;                                // of kHistory: only id, type and enqueued_by
  StopStatus status = StopStatus::kDead;  // of kStopped
};

/// Looks in queue_hot, queue_later and queue_stopped, and then in the history if `with_history`.
/// REQUIRES: `snapshot` is active, or the latest one.
FoundJob find_job(pg::Spi& spi, JobNumber id, Snapshot snapshot, bool with_history);

/// States in which a unique key counts, as bits.
enum UniqueState : std::uint16_t {
  kPending = 1,  // ready or waiting, without a failed attempt
  kProcessing = 2,
  kFailed = 4,
  kCompleted = 8,
  kDead = 16,
  kCanceled = 32,
};

struct UniqueJob {
  JobNumber id = 0;
  UniqueState state = kPending;  // a job in queue_hot is kPending or kFailed, also if it is running
};

/// Returns the job that has this key and is in one of the states, or whose unique_until is after
/// `now`. kProcessing means the same as kPending and kFailed together for a ready job, since only
/// shared memory knows which jobs run. The history is read only if kCompleted is among the states
/// or `with_period`, which says that jobs with unique_until may exist. REQUIRES: lock_unique_key();
/// `snapshot` was taken after it and sees this transaction's rows.
std::optional<UniqueJob> find_unique(pg::Spi& spi, TypeId type, std::int64_t hash,
                                     const text* unique_key, std::uint16_t states, bool with_period,
                                     TimestampTz now, Snapshot snapshot);

/// Locks a unique key until the transaction ends. Only a transaction that enqueues a job with the
/// same key takes this lock, and only as long as it is open.
void lock_unique_key(std::int64_t hash);

}  // namespace metrics_refresh::store::queue
