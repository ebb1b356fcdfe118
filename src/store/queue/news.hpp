// The changes of the queue by the open transaction. They are posted when it has committed, has
// become visible and has released its locks, as store/job_changes.cpp does for jobs on a schedule.
// If it is prepared, the session that commits it posts them. A rollback forgets them, and that of a
// subtransaction those that were noted in it.
//
// The functions that note are called outside pg::call(). REQUIRES for all: require_queue() or
// find_queue() in this transaction (shmem/queue/place.hpp).
#pragma once

#include "shmem/queue/holds.hpp"
#include "shmem/queue/post.hpp"
#include "shmem/queue/work.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// REQUIRES: called once, from _PG_init.
void watch_queue_transactions();

/// Jobs with contiguous numbers, of one lane, were appended to a child of queue_hot. `count` rows.
void note_ready(const shmem::queue::Jobs& jobs, std::int32_t count);
/// The transaction has added jobs with these numbers.
void note_added(JobNumber first, JobNumber last);
bool is_added_here(JobNumber job) noexcept;
/// End marks were written for rows of this segment.
void note_marks(std::uint8_t segment, std::int32_t count);
/// The numbers of jobs of a type have changed by this.
void note_counts(TypeId type, const shmem::queue::Counts& counts,
                 const shmem::queue::Ends& ends = {});
/// Call it before the transaction adds jobs to types of the role. Returns false if the role would
/// have more than `most` jobs that have not ended, with those of all open transactions.
bool promise_jobs(Oid role, std::int64_t count, std::int64_t most);
/// Jobs were added to a batch.
void note_batch(std::int64_t batch, std::int64_t count);
/// A job has ended.
void note_ended(JobNumber job, std::int64_t batch);

// These wake the scheduler to look at tables. It also looks if the part of the transaction was
// rolled back, which only costs time.

/// Rows of queue_later were added, changed or locked; the earliest is due then. Also posted after a
/// rollback: the scheduler skips rows that are locked.
void note_later(TimestampTz due);
void note_dependencies();
void note_batches();
void note_types();
/// When the transaction commits, no more jobs of the type are claimed before the scheduler has read
/// it. REQUIRES: note_types().
void suspend_type(TypeId type);

/// Holds a job until the transaction, or the open part of it, ends. InvalidOid as the role stands
/// for the scheduler.
shmem::queue::HoldResult hold_job(JobNumber job, Oid role);
/// The row of a held job, so that it can be posted again after a rollback.
void set_held_job(const Job& job);
void set_held_job(const shmem::queue::Jobs& job);
/// True if this transaction holds the job.
bool holds(JobNumber job) noexcept;

/// Releases the hold at the end of the transaction without changes: the job is as ready as before.
/// Otherwise it is posted only if a hint came meanwhile.
void keep_held_job_ready(JobNumber job);

/// Uses of claims of workers outside the server (shmem/queue/outside_claims.hpp).
enum class OutsideUse : std::uint8_t {
  kClaim,   // made here. The commit begins its lease; a rollback makes the job ready again
  kEnd,     // its job ends here. A rollback gives the claim back to its worker
  kRelease  // the commit makes the job ready again; a rollback as for kEnd
};
/// Makes room, so that so many uses can be noted without an error. Throws SqlError 54000 if there
/// are too many.
void reserve_outside_uses(std::uint32_t count);
/// REQUIRES: reserve_outside_uses(); for kClaim, claim_outside(), and otherwise use_outside().
void note_outside_use(JobNumber job, OutsideUse use) noexcept;
/// The transaction has claimed the job, or has not claimed it and ends it.
bool claims_outside(JobNumber job) noexcept;
bool uses_outside(JobNumber job) noexcept;
/// Takes back the last `count` noted claims, which are no jobs.
void drop_outside_claims(const JobNumber* jobs, std::uint32_t count) noexcept;
/// The transaction reads a span for others. A rollback puts it back unread.
void note_outside_reading(const shmem::queue::Reading& span) noexcept;

/// The transaction cannot be prepared: it has changed existing jobs. `action` completes "cannot
/// PREPARE a transaction that has …".
void forbid_prepare(const char* action) noexcept;

/// Posts the news of prepared transactions that have ended. REQUIRES: inside pg::call(), or in a
/// server callback that may raise.
void post_prepared_news();

}  // namespace metrics_refresh::store::queue
