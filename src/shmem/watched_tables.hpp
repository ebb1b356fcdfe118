// A copy of the tracked tables of this database (change_counters.hpp), for this process, sorted by
// OID. A commit and a request for counts thus find a table without a scan of shared memory. The
// callbacks of the server use it, so it is plain data.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

struct Watched {
  Oid relation;
  int place;  // index in tracked_tables()
  bool is_silent;
  bool is_counted;  // by the current commit
};

struct WatchedTables {
  Watched* tables;  // null before make_room_for_watched()
  int count;
  bool has_silent;  // at least one table is silent
  std::uint64_t version;
};

/// The copy, which may be older than shared memory.
const WatchedTables& watched_tables() noexcept;

/// False if the set of tracked tables has changed since it was copied.
bool is_watched_current() noexcept;

/// Allocates the memory of the copy. May raise an error.
void make_room_for_watched();

/// Copies the tables again. REQUIRES: make_room_for_watched() was called; the lock of the counters
/// is held; no commit is under way.
void copy_watched_locked() noexcept;

/// The table in the copy, or null.
Watched* find_watched(Oid relation) noexcept;

}  // namespace metrics_refresh::shmem
