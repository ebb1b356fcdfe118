// Ends runs in two steps. SIGINT cancels the query of the run. If the run continues for the grace
// period, SIGTERM terminates the worker, because code of the run may catch a cancellation.
//
// Signals are sent under the lock. A slot therefore still belongs to the process whose pid it
// holds, and the pid cannot belong to another process by then.
#include "shmem/worker_end.hpp"

#include <algorithm>
#include <csignal>

#include "pg/time.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

struct LastEnd {
  std::int64_t at;
  EndReason reason;
};

// The latest time at which the run must have ended, and the reason. There is none if the limits are
// not in force. When they come into force, the worker checks for a cancel request. After they are
// lifted, the run is about to end.
LastEnd last_end(const WorkerSlot& slot, std::int64_t grace) noexcept {
  if (!has_run(slot) || !slot.limited || slot.end != EndReason::kNone)
    return {kNever, EndReason::kNone};
  if (slot.cancel_requested && slot.canceled_at < slot.deadline)
    return {slot.canceled_at + grace, slot.yields ? EndReason::kYielded : EndReason::kCanceled};
  return {slot.deadline + grace, EndReason::kMaxRuntime};
}

}  // namespace

std::int64_t end_overdue(Oid database, std::int64_t grace) {
  const std::int64_t now = pg::steady_now();
  return locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    std::int64_t next = kNever;
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.database != database) continue;
      const LastEnd end = last_end(slot, grace);
      if (end.at > now) {
        next = std::min(next, end.at);
        continue;
      }
      // The reason is stored before the signal, because the worker may exit at once.
      slot.end = end.reason;
      slot.leave = true;
      kill(slot.pid, SIGTERM);
    }
    return next;
  });
}

void terminate_workers(Oid database) {
  locked(LW_EXCLUSIVE, [=] { terminate_workers_locked(database); });
}

void terminate_workers_locked(Oid database) noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_workers; ++i) {
    WorkerSlot& slot = shared->slots[i];
    if (slot.database != database) continue;
    if (slot.pid != 0)
      kill(slot.pid, SIGTERM);
    else if (slot.state == SlotState::kAssigned)
      slot.state = SlotState::kDead;  // attach_worker() will refuse its process
    else if (slot.state == SlotState::kStarting)
      free_slot_locked(slot);
  }
}

namespace {

// Only one signal is sent for each run. A second one could cancel work that follows the run.
void cancel_locked(WorkerSlot& slot, std::int64_t now) noexcept {
  if (std::exchange(slot.cancel_requested, true)) return;
  slot.canceled_at = now;
  if (slot.pid != 0) kill(slot.pid, SIGINT);
}

// Cancels all runs for which `meant` is true. Returns true if there was one.
template <typename Meant>
bool cancel_where(Oid database, Meant&& meant) {
  const std::int64_t now = pg::steady_now();
  return locked(LW_EXCLUSIVE, [&] {
    Area* const shared = area();
    bool found = false;
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.database != database || !has_run(slot) || !meant(slot.run)) continue;
      cancel_locked(slot, now);
      slot.yields = false;  // so that the run is logged as canceled, and does not begin again
      found = true;
    }
    if (found) wake_scheduler_locked(database);
    return found;
  });
}

}  // namespace

bool cancel_run(Oid database, std::int64_t run_id) {
  return cancel_where(database, [=](const Assignment& run) { return run.run_id == run_id; });
}

void have_yield(const SlotView& view) {
  const std::int64_t now = pg::steady_now();
  locked(LW_EXCLUSIVE, [&view, now] {
    WorkerSlot& slot = area()->slots[view.index];
    // The slot may have got another run since it was copied.
    const WorkerSlot& seen = view.slot;
    if (slot.generation != seen.generation || !has_run(slot) ||
        slot.started_at_steady != seen.started_at_steady || slot.cancel_requested)
      return;
    slot.yields = true;
    cancel_locked(slot, now);
    wake_scheduler_locked(slot.database);
  });
}

void cancel_members(Oid database, std::int64_t group_run_id) {
  (void)cancel_where(database,
                     [=](const Assignment& run) { return run.group_run_id == group_run_id; });
}

}  // namespace metrics_refresh::shmem
