// The part of the pool that belongs to the queue. As soon as a database has queued jobs for
// workers, metrics_refresh.queue_workers slots perform such jobs only, and the others perform runs
// only. So neither makes the other late. No worker is lent, because to get it back would need a
// cancel.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// Says whether the queue of the database has jobs for workers. REQUIRES: its scheduler.
void publish_queue(Oid database, bool has_queue);
/// True if a worker has been given this service and has not begun it.
bool is_service_starting(Oid database, Oid owner);
/// For an owner who has jobs and no worker. Asks the worker of one service, of any database, to
/// leave, and keeps the next free worker for this owner for a moment. It is one that rests, or that
/// has served for `turn` microseconds. Does nothing while another one is leaving, or if there is
/// none. If that one is still in its job after `yield_after` microseconds (0: never), and its owner
/// has others, it is terminated; its job starts again.
void end_turn_of_service(Oid database, Oid owner, std::int64_t turn, std::int64_t yield_after);
/// Asks the worker of a service to leave if there is one that rests.
void end_rest_of_service();
/// The same for all of them in the database.
void end_rests_in(Oid database);
/// For a server with one worker: if it serves the queue, and has done so for `turn` microseconds or
/// rests, asks it to leave, since a run waits for it.
void lend_only_worker(std::int64_t turn);

// REQUIRES: the lock is held.

/// The number of runs that may be under way at a time.
int most_runs_locked() noexcept;
/// True if the owner may have a worker more of the queue.
bool may_serve_locked(Oid database, Oid owner) noexcept;
/// The owner has got the worker that was kept.
void forget_kept_service_locked(Oid database, Oid owner) noexcept;
/// Call it when the entry of a database has been removed.
void count_queues_locked() noexcept;

}  // namespace metrics_refresh::shmem
