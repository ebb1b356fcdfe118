// Cancels runs, and terminates workers that do not end by themselves.
#pragma once

#include "shmem/worker_slots.hpp"

namespace metrics_refresh::shmem {

/// Sends one cancel request to the worker of the run, and wakes the scheduler, which enforces the
/// end of the run. Returns false if no worker has the run.
bool cancel_run(Oid database, std::int64_t run_id);
/// The same for the run that the slot had when it was copied, if another owner needs its worker.
void have_yield(const SlotView& view);
/// The same for all workers that have a member of the group's run.
void cancel_members(Oid database, std::int64_t group_run_id);

/// Terminates each worker of the database whose run continues `grace` microseconds after its cancel
/// request or deadline, and stores the reason in its slot. Returns the time of the next such end,
/// by pg::steady_now(), or kNever.
std::int64_t end_overdue(Oid database, std::int64_t grace);
/// Terminates all workers of the database.
void terminate_workers(Oid database);
/// REQUIRES: the lock is held.
void terminate_workers_locked(Oid database) noexcept;

}  // namespace metrics_refresh::shmem
