// Sessions that fill the extension's tables from a dump, or make its triggers. As long as one is
// connected, nothing begins in its database and nothing is swept: a run would meet groups without
// their members, and would set up for the strategy incremental what the dump has in a table, or a
// trigger, that is yet to come.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

/// More sessions than this at a time hold nothing off; pg_restore has one for each of its jobs.
inline constexpr int kMaxRestores = 64;

/// A session that goes on, as a pool's does, holds nothing off this long after its last table.
inline constexpr std::int64_t kLongestRestore = 10 * USECS_PER_MINUTE;

struct Restore {
  Oid database;        // InvalidOid: the place is free
  std::int64_t began;  // steady
};

/// Notes that this session restores something; with its end the database's scheduler goes on.
/// REQUIRES: inside pg::call(), or in a callback of the server that may raise.
void note_restore();

/// Until when, on the steady clock, nothing may begin in the database if no session ends before; 0
/// where none is restored.
std::int64_t restored_until(Oid database);

}  // namespace metrics_refresh::shmem
