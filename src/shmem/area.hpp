// The shared memory of the extension and its lock. It is plain data whose size is fixed when the
// server starts. Its parts are declared in databases.hpp, worker_slots.hpp, waiting.hpp and others.
// The parts of change_counters.hpp and prepared_news.hpp have locks of their own. Only this folder
// includes this header. shmem.cpp has the bodies of its functions, beside those of shmem.hpp.
#pragma once

#include "shmem/shmem.hpp"

namespace metrics_refresh::shmem {

struct Area {
  LWLock* lock;      // protects the other fields, except the condition variable and the atomics
  PGPROC* launcher;  // null while no launcher runs
  ConditionVariable run_ended;      // broadcast at the end of every run
  bool look_at_all;                 // the launcher must have every database checked
  std::uint64_t generations;        // the last generation given to a worker slot
  Oid starving_database;            // see starving.hpp
  std::int64_t starving_until;      // by pg::steady_now()
  pg_atomic_uint64 written_rows;    // rows of jobs written since the server started
  pg_atomic_uint64 written_bytes;   // the size of these rows
  pg_atomic_uint64 type_changes;    // commits in all databases that may have changed job types
  pg_atomic_uint32 wants_flush;     // a worker asks the launcher to flush the log
  Oid next_service_database;        // whose owner has the next free worker of the queue, see
  Oid next_service_owner;           // end_turn_of_service()
  std::int64_t next_service_until;  // by pg::steady_now()
  int queues;                       // databases whose entry says has_queue
  int max_databases;
  int max_workers;
  DatabaseEntry* databases;  // an array of max_databases
  WorkerSlot* slots;         // an array of max_workers
  WaitingRun waiting[kMaxShownWaiting];
  HandOver hand_overs[kMaxHandOvers];
  Restore restores[kMaxRestores];
};

/// Null unless is_preloaded().
Area* area() noexcept;

/// Throws like require_preloaded().
Area& required_area();

/// Runs `body` under the lock and returns its result.
/// REQUIRES: `body` uses plain shared data only. It does not raise errors, wait, or allocate.
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
