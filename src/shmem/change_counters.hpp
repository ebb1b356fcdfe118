// Counts, for each table that a refreshed view reads, the transactions that may have changed it.
// They count at commit, in every process of the server, so a view whose tables' counts stand still
// need not be refreshed.
//
// How they count is in change_watch.hpp.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

/// One table. Plain data in shared memory; the numbers only ever grow, also where another table
/// takes the place over.
struct TrackedTable {
  Oid database;  // InvalidOid: the place is free
  Oid relation;
  Oid role;                 // in whose name it was first asked for
  std::uint64_t serial;     // of this registration; never given out again before a restart
  FullTransactionId since;  // transactions before this may have gone uncounted
  TimestampTz asked_at;     // when somebody last asked; long after that it may make room
  bool is_silent;           // pg::may_change_silently()
  pg_atomic_uint64 begun;   // transactions that went to commit their changes
  pg_atomic_uint64 ended;   // and of which that is over: what they changed can be seen
  // Of those whose changes no trigger captured for the strategy incremental: how many went to
  // commit, and the greatest of their full numbers.
  pg_atomic_uint64 uncaptured;
  pg_atomic_uint64 last_uncaptured;
  // Of a view that reads others: how often it was not refreshed, for it was fresh, since it last
  // was.
  pg_atomic_uint32 skips;
};

struct ChangeCounters {
  LWLock* lock;              // for who changes which tables are tracked
  std::uint64_t epoch[2];    // random, of this start of the server
  pg_atomic_uint64 version;  // of the set of tables
  std::uint64_t serials;     // the last one given out
  int max_tables;
};

/// The count of one table as somebody sees it.
struct ChangeCount {
  std::uint64_t serial;
  std::uint64_t begun;
  std::uint64_t ended;
  std::uint64_t uncaptured;
  FullTransactionId last_uncaptured;
  FullTransactionId since;
};

/// Memory that the counters need, and their place in it.
Size change_counters_size();
void init_change_counters(char* memory, LWLock* lock, bool found);

enum class Counting {
  kCounted,
  kNotYet,   // there is room, and nobody has asked for it
  kNoRoom,   // for all of them
  kNoShare,  // for so many more of this role's (metrics_refresh.max_tracked_tables_per_role)
  kNotHere,  // the library was not preloaded, or the server is in recovery
};

/// Reads the counts of `tables` of this database, in the order of their oids, into `counts`, which
/// are only there where they are counted, and has those counted from now on that are not yet,
/// unless this `only_looks`: in the name of `role`, which has no limit if it is a superuser.
/// REQUIRES: inside pg::call().
Counting count_changes(const Oid* tables, int number, Oid role, bool only_looks,
                       ChangeCount* counts);

/// No table of the database is tracked any more. One that is made with the number of a database
/// that was dropped may hold a copy of its tables, and of what views remember, of another time.
void forget_counts(Oid database) noexcept;

/// The role of each tracked table, as shares count them, into `roles`, which has room for
/// settings::max_tracked_tables(). Returns how many. REQUIRES: inside pg::call().
int roles_of_tracked(Oid* roles);

/// How often the view, which is tracked, was skipped since forget_skips(); 0 where it is not.
/// REQUIRES of the three: inside pg::call().
std::uint32_t skips_of(Oid view);
void note_skip(Oid view);
void forget_skips(Oid view);

/// What tells this start of the server from every other. REQUIRES: preloaded.
const std::uint64_t* change_epoch();

// For change_watch.cpp.

ChangeCounters* change_counters() noexcept;
TrackedTable* tracked_tables() noexcept;

}  // namespace metrics_refresh::shmem
