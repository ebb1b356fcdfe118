// The extension's fixed piece of shared memory and its lock: plain data, sized at server start,
// never growing. What lies in it is declared in databases.hpp, worker_slots.hpp, waiting.hpp and
// others; beside it lie change_counters.hpp and prepared_news.hpp, with locks of their own,
// server_settings.hpp and skipped_jobs.hpp. Only this folder includes this header.
#pragma once

#include "shmem/shmem.hpp"

namespace metrics_refresh::shmem {

struct Area {
  LWLock* lock;                    // protects all that follows, but for the condition variable
  PGPROC* launcher;                // null while no launcher runs
  ConditionVariable run_ended;     // broadcast at the end of every run
  bool look_at_all;                // the launcher is to have every database looked into
  std::uint64_t generations;       // of worker slots: the last one given out
  Oid starving_database;           // see starving.hpp
  std::int64_t starving_until;     // by pg::steady_now()
  pg_atomic_uint64 written_rows;   // of jobs, since the server started; without the lock
  pg_atomic_uint64 written_bytes;  // in them
  int max_databases;
  int max_workers;
  DatabaseEntry* databases;  // max_databases of them
  WorkerSlot* slots;         // max_workers of them
  WaitingRun waiting[kMaxShownWaiting];
  HandOver hand_overs[kMaxHandOvers];
  Restore restores[kMaxRestores];
};

/// Null unless is_preloaded().
Area* area() noexcept;

/// The area. Throws as require_preloaded().
Area& required_area();

/// Runs `body` under the lock and returns its result.
/// REQUIRES: `body` touches plain shared data only; it neither raises, waits nor allocates.
template <typename Body>
auto locked(LWLockMode mode, Body&& body) {
  LWLock* const lock = area()->lock;
  if constexpr (std::is_void_v<std::invoke_result_t<Body&>>) {
    pg::call([&] {
      LWLockAcquire(lock, mode);
      body();
      LWLockRelease(lock);
    });
  } else {
    return pg::call([&] {
      LWLockAcquire(lock, mode);
      auto result = body();
      LWLockRelease(lock);
      return result;
    });
  }
}

/// Wakes the launcher, if one runs. REQUIRES: the lock is held.
void wake_launcher_locked() noexcept;

}  // namespace metrics_refresh::shmem
