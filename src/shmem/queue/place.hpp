// The queue of this database in shared memory: its place, the numbers of new jobs, and the
// segments. A place is made at its first use after a start of the server, and knows nothing of the
// jobs in the tables then. Jobs can be posted at once; claims are closed until the scheduler has
// recovered the others.
//
// All functions of this folder act on the place of the current database that require_queue() or
// find_queue() has found in this process. If that place was made anew since then (the extension or
// the database was dropped), they do nothing, and return what an empty queue has.
//
// Each place has one lock, a leaf: no other lock of ours is taken under it. Functions that are
// noexcept may run in callbacks at the end of a transaction and at the exit of a process; the
// others are called as usual, outside pg::call(). Latches and condition variables are set after the
// lock is released.
#pragma once

#include <cstdint>

#include "core/queue/ready_work.hpp"
#include "pg/postgres.hpp"

namespace metrics_refresh::shmem::queue {

using core::queue::JobNumber;
using core::queue::KeyHash;
using core::queue::kSegments;
using core::queue::OwnerId;
using core::queue::Tid;
using core::queue::TypeId;
using Jobs = core::queue::ReadyWork::Jobs;

/// FullTransactionId::value of a transaction, which never wraps around.
using TransactionNumber = std::uint64_t;

/// The owner of a type whose jobs are claimed from outside. Other types have the OID of their role.
constexpr OwnerId outside_owner(TypeId type) noexcept {
  return (OwnerId{1} << 32) + static_cast<std::uint32_t>(type);
}
constexpr bool is_outside_owner(OwnerId owner) noexcept { return owner >> 32 != 0; }

/// Requests the memory. REQUIRES: called once, from _PG_init, after shmem::request().
void request();

/// Finds the place of this database, or makes it and wakes the scheduler. Throws SqlError 53400 if
/// max_queue_databases others have one, and 55000 if the library was not preloaded. Costs a look-up
/// in a system cache if the place is known. If this transaction has created the extension in the
/// place of another one, the queue counts as empty until the commit (hidden_place.hpp). REQUIRES:
/// in a transaction.
void require_queue();
/// The same, but returns false if there is no place, or no extension, or if the queue counts as
/// empty.
bool find_queue();
/// Whether the place that was found last is still in force.
bool is_still_found() noexcept;
/// The same for code inside pg::call(), or in a callback that may raise.
bool find_queue_inside();
/// Makes the place of this database anew for another schema, if it has one.
void renew(Oid schema) noexcept;
/// Gives up the place of a database that was dropped.
void forget(Oid database) noexcept;

enum class State : std::uint8_t {
  kNew,         // no scheduler has looked at the tables  -> kRecovering
  kRecovering,  // claims are closed, but start_singly()  -> kOpen
  kOpen         // -> kRecovering
};
State state() noexcept;
/// For the scheduler. Claims are closed, and rereads that another scheduler has begun are wanted
/// again. Claims of workers and outside holders go on.
void begin_recovery() noexcept;
/// Opens the claims, and wakes workers. If they are open already, it only wakes those that have
/// work, as is needed after metrics_refresh.enabled was switched on.
void open() noexcept;

/// The size of a block of numbers, which is the increment of the sequence.
inline constexpr std::uint32_t kBlock = 4096;

struct Numbers {
  JobNumber first;
  std::uint32_t count;  // contiguous
};
/// At most `count` new numbers. None if the block is used up. Then add_block() takes them from a
/// new block, which begins at `first` (nextval of the sequence), and others get the rest of it.
Numbers take_numbers(std::uint32_t count) noexcept;
Numbers add_block(JobNumber first, std::uint32_t count) noexcept;

/// The segment for new rows; -1 if it is not known yet. Then the caller reads it from the table and
/// calls offer_current_segment(), which returns the one in force. A writer locks the child, and
/// then asks again. Needs no lock.
int current_segment() noexcept;
int offer_current_segment(int segment) noexcept;
/// For the scheduler: at its start, and at a rotation.
void set_current_segment(int segment) noexcept;

/// The same for completed jobs: the child of queue_history. It is emptied days after it was the
/// current one, so a writer need not ask again.
int current_period() noexcept;
int offer_current_period(int period) noexcept;
void set_current_period(int period) noexcept;

/// Readers of several segments compare this number before their snapshot and after their last read,
/// and read again if it has changed. Needs no lock.
std::uint64_t truncations() noexcept;
/// For the scheduler. REQUIRES: it has the AccessExclusiveLock, and has not committed yet.
void count_truncation() noexcept;

/// Attempts to end a row that had an end, since the place was made. Needs no lock.
std::uint64_t double_ends() noexcept;
void count_double_end() noexcept;

}  // namespace metrics_refresh::shmem::queue
