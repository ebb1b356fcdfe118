// The memory of the places, for the files of this folder alone.
//
// A Place has a part that is made once, and its Content, which is made anew when the place gets
// another database or extension. The Content holds arrays that follow it in memory; all references
// are indexes (core/queue/array.hpp).
#pragma once

#include <type_traits>
#include <utility>

#include "core/queue/table.hpp"
#include "shmem/queue/awaited.hpp"
#include "shmem/queue/crashed_jobs.hpp"
#include "shmem/queue/outside_claims.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "shmem/queue/status.hpp"
#include "shmem/queue/types.hpp"
#include "shmem/shmem.hpp"

namespace metrics_refresh::shmem::queue {

using core::queue::Array;
using core::queue::kNone;
using core::queue::ReadyWork;
using core::queue::Table;

inline constexpr std::uint32_t kReaders = 8;   // sessions that may read spans at a time
inline constexpr std::uint32_t kRoles = 1024;  // that have something of the room for all
inline constexpr std::uint32_t kBatches = 1024;
inline constexpr std::uint32_t kBatchEnds = 256;
inline constexpr std::uint32_t kRing = 1024;
inline constexpr std::uint32_t kLostWorkers = 64;
inline constexpr std::uint32_t kFilterWords = 1024;  // of 64 bits

struct TypeEntry {
  TypeId type = 0;
  std::uint32_t after = kNone;
  bool is_known = false;  // `copy` is
  TypeCopy copy;
  std::uint64_t changed = 0;  // Content::type_changes at its last change
  core::Duration mean{-1};
  Counts counts;
  Counts recounted;  // changes since begin_recount() that its snapshot does not see
  Ends ends;

  std::uint64_t hash() const noexcept { return core::queue::Type::hash_of(type); }
};

/// An owner of types, and a role that has types. It is in use as long as types or workers refer to
/// it.
struct OwnerEntry {
  OwnerId owner = 0;
  std::uint32_t after = kNone;
  std::uint32_t references = 0;
  std::uint32_t workers = 0, idle = 0;
  bool is_told = false;   // the scheduler knows that it has work
  std::int64_t open = 0;  // jobs and batches of its types, if it is a role

  std::uint64_t hash() const noexcept { return core::queue::mixed(owner); }
};

/// What a role has of the room for all roles (role_shares.hpp). It is in the table as long as one
/// of the numbers is not 0.
struct RoleEntry {
  Oid role = InvalidOid;
  std::uint32_t after = kNone;
  std::int64_t holds = 0;
  std::int64_t outside = 0;   // claims of jobs of its types
  std::int64_t promised = 0;  // jobs of its types that open transactions may add
  std::int64_t kept = 0;      // of them: added, to a type whose owner is not known yet

  std::uint64_t hash() const noexcept { return core::queue::mixed(role); }
};

struct BatchEntry {
  std::int64_t batch = 0;
  std::uint32_t after = kNone;
  bool is_exact = false;
  std::int64_t open = 0;
  std::int64_t recounted = 0;

  std::uint64_t hash() const noexcept {
    return core::queue::mixed(static_cast<std::uint64_t>(batch));
  }
};

struct OutsideEntry {
  OutsideClaim claim;
  std::uint32_t after = kNone;
  Oid role = InvalidOid;  // whose share it is in

  static std::uint64_t hash_of(JobNumber job) noexcept {
    return core::queue::mixed(static_cast<std::uint64_t>(job));
  }
  std::uint64_t hash() const noexcept { return hash_of(claim.job); }
};

struct WorkerEntry {
  PGPROC* process = nullptr;  // null: no worker is attached
  int pid = 0;
  OwnerId owner = 0;
  bool is_idle = false;
  bool is_canceled = false;
  JobNumber job = 0;  // started last; 0 if it has ended
  TimestampTz started_at = 0;
  TimestampTz canceled_at = 0;
  TransactionNumber committed = 0;  // of the last transaction with jobs
  XLogRecPtr lsn = InvalidXLogRecPtr;
  JobProgress progress;
};

/// The snapshot of the last recount, with numbers that do not wrap around.
struct CountSnapshot {
  TransactionNumber xmin = 0, xmax = 0;  // at first it sees no transaction
  std::uint32_t count = 0;
  Array<TransactionNumber> running;
};

struct Single {
  SingleState state = SingleState::kNone;
  Jobs job;
};

/// A job in whose handler the process of the worker has ended, without a crash.
struct LostWorker {
  JobNumber job = 0;  // 0: free
  OwnerId owner = 0;
  int ends = 0;            // in a row
  std::uint64_t last = 0;  // grows with each end of all jobs
};

struct Content {
  State state = State::kNew;
  TimestampTz made_at = 0;
  JobNumber next_number = 0, end_of_numbers = 0;
  SchedulerNews news;
  bool watches_ends = false;
  Single single;

  Table<TypeEntry> types;
  std::uint64_t type_changes = 0;
  Table<OwnerEntry> owners;
  Table<RoleEntry> roles;
  Array<WorkerEntry> workers;
  std::uint32_t worker_count = 0;  // attached
  LostWorker lost_workers[kLostWorkers];
  std::uint64_t lost_worker_count = 0;  // since the place was made
  int reader_pids[kReaders] = {};       // 0: free

  bool counts_are_exact = false;
  bool recount_is_active = false;
  CountSnapshot snapshot;
  SegmentCounts segments, recounted_segments;
  Table<BatchEntry> batches;
  bool batches_overflowed = false;  // new entries are not exact before the next recount
  std::uint32_t batch_end_count = 0;
  bool batch_ends_lost = false;
  BatchEnd batch_ends[kBatchEnds];

  std::uint64_t filter[kFilterWords] = {};
  std::uint32_t filter_bits = 0;
  RingPosition ring_end = 1, ring_begin = 1;  // earlier positions are lost
  AwaitedEnd ring[kRing];

  Table<OutsideEntry> outside;
  TimestampTz lease_end = PG_INT64_MAX;  // the earliest, or earlier

  std::ptrdiff_t ready_offset = 0;
  ReadyWork& ready() noexcept {
    return *std::launder(
        reinterpret_cast<ReadyWork*>(reinterpret_cast<std::byte*>(this) + ready_offset));
  }
};
static_assert(std::is_trivially_destructible_v<Content>, "it lives in shared memory");

struct Place {
  LWLock* lock;                 // protects all but the condition variables and the atomics
  pg_atomic_uint64 generation;  // grows when the place is made anew or given up
  Oid database;                 // InvalidOid if the place is free
  Oid schema;                   // of the extension's tables: its identity
  pg_atomic_uint64 truncations;
  pg_atomic_uint64 double_ends;
  pg_atomic_uint32 current_segment;  // kNone if it is not known
  pg_atomic_uint32 current_period;   // the same
  ConditionVariable awaited;         // broadcast at ends that a process may await
  ConditionVariable outside_work;    // broadcast when a type with claims from outside gets work
};

struct Registry {
  LWLock* lock;  // protects which database has which place; taken before the lock of a place
  int places;
  bool knows_crash;  // the launcher has stored the jobs of the last crash
  int crashed_count;
  CrashedJob crashed[kMostClaimedJobs];
};
extern Registry* registry;
Place& place_at(int index) noexcept;

/// The locks: one of the registry, one of the prepared posts in prepared_posts.cpp at the end, and
/// one of each place between them.
inline constexpr char kTranche[] = "metrics_refresh queue";

/// The place that this process has found; null if there is none.
extern Place* here;
/// The generation of `here` that was found.
extern std::uint64_t here_generation;
/// The worker that this process is; -1 if it is none.
extern int own_worker;

/// Whether `here` is still as it was found.
inline bool is_current() noexcept {
  return here != nullptr && pg_atomic_read_u64(&here->generation) == here_generation;
}

Content& content_of(Place& place) noexcept;
/// Makes the Content of the place. REQUIRES: its lock is held.
void make_content(Place& place) noexcept;
/// The sizes of the arrays, which are the same for all places.
struct Sizes {
  ReadyWork::Sizes ready;      // its workers: those of the server, the readers, and one more
  std::uint32_t workers;       // slots of the server
  std::uint32_t transactions;  // in a snapshot
};
const Sizes& sizes() noexcept;
/// The worker of ReadyWork that claims jobs for outside, as long as the lock is held, and those of
/// sessions that read.
inline std::uint32_t first_reader() noexcept { return sizes().workers; }
inline std::uint32_t transfer() noexcept { return sizes().workers + kReaders; }
/// Attaches this process to the memory, or makes it. REQUIRES: AddinShmemInitLock is held.
void init_memory();
Size memory_size();

/// The latches and condition variables to be set when the lock has been released.
class Wakes {
 public:
  static constexpr std::uint32_t kMost = 32;
  bool scheduler = false;
  bool awaited = false;
  bool outside_work = false;

  bool is_full() const noexcept { return count_ == kMost; }
  void add(PGPROC* process) noexcept { processes_[count_++] = process; }
  /// REQUIRES: the lock is not held.
  void send() noexcept;

 private:
  std::uint32_t count_ = 0;
  PGPROC* processes_[kMost];
};

/// Runs `body(content)` under the lock, and returns its result; a value made of nothing if the
/// place is not the one that was found. REQUIRES: `body` does not raise, wait or allocate.
template <typename Body>
auto locked(LWLockMode mode, Body&& body) noexcept {
  using Result = std::invoke_result_t<Body&, Content&>;
  if (here == nullptr) return Result();
  LWLockAcquire(here->lock, mode);
  const bool is_same = is_current();
  if constexpr (std::is_void_v<Result>) {
    if (is_same) body(content_of(*here));
    LWLockRelease(here->lock);
  } else {
    Result result = is_same ? body(content_of(*here)) : Result();
    LWLockRelease(here->lock);
    return result;
  }
}

/// The same with `body(content, wakes)`, exclusively; sends the wakes afterwards.
template <typename Body>
auto locked_with_wakes(Body&& body) noexcept {
  Wakes wakes;
  using Result = std::invoke_result_t<Body&, Content&, Wakes&>;
  if constexpr (std::is_void_v<Result>) {
    locked(LW_EXCLUSIVE, [&](Content& content) { body(content, wakes); });
    wakes.send();
  } else {
    Result result = locked(LW_EXCLUSIVE, [&](Content& content) { return body(content, wakes); });
    wakes.send();
    return result;
  }
}

}  // namespace metrics_refresh::shmem::queue
