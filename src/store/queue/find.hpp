// Where a job is, by its number or by its unique key, over all tables of the queue.
//
// A search reads several tables with one snapshot. A job that is moved after the snapshot may be
// missed if its old segment is emptied before the search gets there, because TRUNCATE takes rows
// away from every snapshot. So the caller reads the count of truncations (shared memory) before the
// snapshot and after the search, and repeats both if it has changed.
//
// All functions REQUIRE: inside extension::as_extension(), whose Spi they get; `snapshot` is
// registered or active. The values of a job are valid until the Spi ends.
#pragma once

#include "pg/spi.hpp"
#include "store/queue/ended.hpp"

namespace metrics_refresh::store::queue {

enum class Where { kNowhere, kHot, kLater, kStopped, kHistory };

struct FoundJob {
  Where where = Where::kNowhere;
  Job job;                                // of kHistory: only id, type, enqueued_by and batch
  StopStatus status = StopStatus::kDead;  // of kStopped
};

/// Looks in queue_hot, queue_later, queue_stopped and, if wanted, in queue_history.
FoundJob find_job(pg::Spi& spi, JobNumber id, Snapshot snapshot, bool with_history);

/// States of jobs, as bits. Only shared memory knows which ready jobs are running.
enum UniqueState : std::uint16_t {
  kPending = 1,
  kProcessing = 2,
  kFailed = 4,
  kCompleted = 8,
  kDead = 16,
  kCanceled = 32,
};
constexpr std::uint16_t kUnendedStates = kPending | kProcessing | kFailed;

struct UniqueJob {
  JobNumber id = 0;
  UniqueState state = kPending;
};

/// Returns a job of the type with this key that is in one of the states, or whose unique_until is
/// after `now`. If all of kUnendedStates are wanted, a running job may be returned as kPending or
/// kFailed. The history is read only if kCompleted is among the states or `with_completed`, which
/// says that completed jobs with unique_until may exist. REQUIRES: the key is locked (locks.hpp);
/// `snapshot` is newer, and sees the rows of this transaction.
std::optional<UniqueJob> find_unique(pg::Spi& spi, TypeId type, std::int64_t hash,
                                     const text* unique_key, std::uint16_t states,
                                     bool with_completed, TimestampTz now, Snapshot snapshot);

}  // namespace metrics_refresh::store::queue
