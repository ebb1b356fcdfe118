// Counts, for each table that a refreshed view reads, the transactions that may have changed it.
// Every process of the server counts at commit (change_watch.hpp). If the counts of all tables of a
// view are unchanged, the view need not be refreshed.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

/// One tracked table, in shared memory. The counts never decrease, even if another table gets the
/// place.
struct TrackedTable {
  Oid database;  // InvalidOid: the place is free
  Oid relation;
  Oid role;                 // the role that first requested the counts
  std::uint64_t serial;     // of this registration; unique until the next restart
  FullTransactionId since;  // transactions before this may not have been counted
  TimestampTz asked_at;     // time of the last request; long after it the place may be reused
  bool is_silent;           // pg::may_change_silently()
  pg_atomic_uint64 begun;   // transactions that began to commit their changes
  pg_atomic_uint64 ended;   // those whose commit has ended, so that their changes are visible
  // The transactions whose changes no trigger captured for the strategy incremental: the number of
  // those that began to commit, and the greatest of their full transaction IDs.
  pg_atomic_uint64 uncaptured;
  pg_atomic_uint64 last_uncaptured;
  // If this is a materialized view: the number of times that it was found fresh and skipped since
  // its last refresh.
  pg_atomic_uint32 skips;
};

struct ChangeCounters {
  LWLock* lock;              // protects the set of tracked tables
  std::uint64_t epoch[2];    // a random number of this start of the server
  pg_atomic_uint64 version;  // of the set of tracked tables
  std::uint64_t serials;     // the last serial given to a table
  int max_tables;
};

/// A copy of the counts of one table.
struct ChangeCount {
  std::uint64_t serial;
  std::uint64_t begun;
  std::uint64_t ended;
  std::uint64_t uncaptured;
  FullTransactionId last_uncaptured;
  FullTransactionId since;
};

/// The size of the counters, and their initialization in the memory that shmem.cpp allocated.
Size change_counters_size();
void init_change_counters(char* memory, LWLock* lock, bool found);

enum class Counting {
  kCounted,
  kNotYet,   // some are not tracked; there is room for them
  kNoRoom,   // too few places are free
  kNoShare,  // metrics_refresh.max_tracked_tables_per_role would be exceeded
  kNotHere,  // the library was not preloaded, or the server is in recovery
};

/// Reads the counts of tables of this database into `counts`, which is valid if the result is
/// kCounted. Tables that are not tracked yet are registered for `role`, unless `only_looks`. There
/// is no limit for a superuser. REQUIRES: `tables` is in ascending order; inside pg::call().
Counting count_changes(const Oid* tables, int number, Oid role, bool only_looks,
                       ChangeCount* counts);

/// Stops tracking the tables of the database. A new database may get the OID of a dropped one. It
/// may hold an older copy of the tables, and of the counts that views remember.
void forget_counts(Oid database) noexcept;

/// Writes the role of each tracked table to `roles`, as the shares count them, and returns their
/// number. REQUIRES: inside pg::call(); `roles` has room for settings::max_tracked_tables().
int roles_of_tracked(Oid* roles);

/// The number of times that the view was skipped since forget_skips(), or 0 if it is not tracked.
/// REQUIRES for these three functions: inside pg::call().
std::uint32_t skips_of(Oid view);
void count_skip(Oid view);
void forget_skips(Oid view);

/// A random number that identifies this start of the server. REQUIRES: preloaded.
const std::uint64_t* change_epoch();

// For change_watch.cpp.

ChangeCounters* change_counters() noexcept;
TrackedTable* tracked_tables() noexcept;

}  // namespace metrics_refresh::shmem
