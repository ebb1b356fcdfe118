// Sessions that restore the tables or triggers of the extension from a dump. While one is
// connected, no run begins in its database and nothing is swept. A run could find groups without
// their members. It could also set up the strategy incremental for a view whose setup the dump
// restores later.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

/// Further sessions at the same time do not delay runs. pg_restore uses one session for each of its
/// parallel jobs.
inline constexpr int kMaxRestores = 64;

/// A session delays runs for at most this time after its last table. It may stay connected, for
/// example if it belongs to a pool.
inline constexpr std::int64_t kLongestRestore = 10 * USECS_PER_MINUTE;

struct Restore {
  Oid database;        // InvalidOid if the place is free
  std::int64_t began;  // by pg::steady_now(), of the latest table
};

/// Notes that this session restores a table or a trigger. When the session ends, the scheduler of
/// the database continues. REQUIRES: inside pg::call(), or in a callback that may raise.
void register_restore();

/// The time, by pg::steady_now(), until which no run may begin in the database. It may come earlier
/// if the sessions end. 0 if there is no restore.
std::int64_t restored_until(Oid database);

}  // namespace metrics_refresh::shmem
