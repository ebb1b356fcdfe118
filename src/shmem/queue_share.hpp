// The part of the pool that belongs to the queue. As soon as a database has queued jobs for
// workers, metrics_refresh.queue_workers slots perform such jobs only, and the others perform runs
// only. So neither makes the other late. No worker is lent, because to get it back would need a
// cancel.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// Says whether the queue of the database has jobs for workers. REQUIRES: its scheduler.
void publish_queue(Oid database, bool has_queue);
/// The number of workers that may serve the queue at a time in the cluster, and that do so now.
int most_services();
int services();

// REQUIRES: the lock is held.

int most_services_locked() noexcept;
/// The number of runs that may be under way at a time.
int most_runs_locked() noexcept;
int services_locked() noexcept;
/// Call it when the entry of a database has been removed.
void count_queues_locked() noexcept;

}  // namespace metrics_refresh::shmem
