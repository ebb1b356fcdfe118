// Steps that several files of this folder take under the lock. They find and make entries, count,
// and note which processes have to be woken.
#pragma once

#include "pg/time.hpp"
#include "shmem/queue/memory.hpp"
#include "shmem/queue/post.hpp"

namespace metrics_refresh::shmem::queue {

// REQUIRES, for all below: the lock is held.

/// kNone if it is not there.
std::uint32_t find_type(const Content& content, TypeId type) noexcept;
std::uint32_t find_owner(const Content& content, OwnerId owner) noexcept;
std::uint32_t find_batch(const Content& content, std::int64_t batch) noexcept;
std::uint32_t find_outside(const Content& content, JobNumber job) noexcept;
/// The entry of an unknown type waits for set_type(). kNone: no room.
std::uint32_t find_or_add_type(Content& content, TypeId type) noexcept;
/// Counts one more reference, or one less.
void refer_to_owner(Content& content, OwnerId owner) noexcept;
void leave_owner(Content& content, OwnerId owner) noexcept;

/// A number of a role (role_shares.hpp).
std::int64_t number_of(const Content& content, Oid role, std::int64_t RoleEntry::*number) noexcept;
/// Whether the role may take one more of something of which so much is free.
/// Always if it is InvalidOid, which stands for the scheduler.
bool may_take(const Content& content, Oid role, std::int64_t RoleEntry::*number,
              std::uint32_t free) noexcept;
/// Counts it. Returns false if it is not counted, so that it is not given back.
bool add_to_role(Content& content, Oid role, std::int64_t RoleEntry::*number,
                 std::int64_t count) noexcept;
void give_back(Content& content, Oid role, std::int64_t RoleEntry::*number,
               std::int64_t count) noexcept;
/// The promised jobs were added to a type whose owner is not known yet: they count as promised
/// until a type of the role becomes known, which is when give_back_kept() is called.
void keep_promised(Content& content, Oid role, std::int64_t jobs) noexcept;
void give_back_kept(Content& content, Oid role) noexcept;

/// Chooses how many jobs of the type a worker claims at once, by their mean duration (types.cpp).
void update_bite(Content& content, const TypeEntry& entry) noexcept;

/// The owner may have got `jobs` more jobs that can start: wakes idle workers, at most as many, or
/// tells the scheduler.
void offer_work(Content& content, OwnerId owner, std::uint32_t jobs, Wakes& wakes) noexcept;
/// The same if it has any work.
void offer_any_work(Content& content, OwnerId owner, Wakes& wakes) noexcept;
/// The same for all owners, with as many turns of the lock as the wakes need.
void offer_any_work_to_all() noexcept;
/// Sets a flag of the news, and wakes the scheduler if that is a change.
void tell(bool SchedulerNews::*flag, Content& content, Wakes& wakes) noexcept;

/// The number with this 32-bit end that is nearest to `near`.
TransactionNumber widened(TransactionId transaction, FullTransactionId near) noexcept;
void count_type(Content& content, TypeId type, const Counts& change, const Ends& ends,
                TransactionNumber transaction) noexcept;
void count_segment(Content& content, std::uint8_t segment, std::int64_t change,
                   TransactionNumber transaction) noexcept;
void count_batch(Content& content, const BatchCount& added, TransactionNumber transaction) noexcept;
/// Whether a process may await the job.
bool filter_has(const Content& content, JobNumber job) noexcept;
/// A job has ended, completed or not.
void tell_end(Content& content, JobNumber job, std::int64_t batch, TransactionNumber transaction,
              XLogRecPtr lsn, Wakes& wakes) noexcept;
/// All that follows from the end of an attempt but the claim. `segment` is that of its row.
void count_end(Content& content, const End& end, TypeId type, std::uint8_t segment,
               TransactionNumber transaction, XLogRecPtr lsn, Wakes& wakes) noexcept;
/// Posts a job, and offers it.
void post_locked(Content& content, const Jobs& jobs, TimestampTz now, Wakes& wakes) noexcept;

}  // namespace metrics_refresh::shmem::queue
