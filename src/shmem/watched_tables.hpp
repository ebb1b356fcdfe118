// This process's copy of the tables of its database that are tracked (change_counters.hpp), by
// their numbers: so that a commit, and who asks for counts, finds some of them without looking at
// all. The server's callbacks touch it: plain data, plain C.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

struct Watched {
  Oid relation;
  int place;  // among tracked_tables()
  bool is_silent;
  bool is_counted;  // by the commit under way
};

struct WatchedTables {
  Watched* tables;  // null until there is room
  int count;
  bool has_silent;  // one of them is
  std::uint64_t version;
};

/// May be older than what is tracked.
const WatchedTables& watched_tables() noexcept;

/// False where something else is tracked by now.
bool is_watched_current() noexcept;

/// May raise an error.
void make_room_for_watched();

/// Makes it current. REQUIRES: there is room; the lock of the counters is held; no commit is under
/// way.
void copy_watched_locked() noexcept;

/// Null where there is none.
Watched* find_watched(Oid relation) noexcept;

}  // namespace metrics_refresh::shmem
