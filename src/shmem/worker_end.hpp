// How runs are canceled, and workers told to exit that do not end by themselves.
#pragma once

#include "shmem/worker_slots.hpp"

namespace metrics_refresh::shmem {

/// Asks the worker that serves `run_id` to cancel it, once, and has the scheduler see to it that
/// the run ends. False where none does.
bool cancel_run(Oid database, std::int64_t run_id);
/// The same of the run that the slot had when it was copied: its worker is wanted for another
/// owner.
void have_yield(const SlotView& view);
/// The same of every worker that serves a member of the group's run.
void cancel_members(Oid database, std::int64_t group_run_id);

/// Terminates the workers of the database whose runs have gone on for `grace` microseconds past
/// their cancel or deadline, and notes why in their slots. Returns when the next one is due, by
/// pg::steady_now(), or kNever.
std::int64_t end_overdue(Oid database, std::int64_t grace);
/// Terminates every worker of the database.
void terminate_workers(Oid database);
/// The same. REQUIRES: the lock is held.
void terminate_workers_locked(Oid database) noexcept;

}  // namespace metrics_refresh::shmem
