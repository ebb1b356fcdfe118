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

// When the run must have ended, and why. One that is not limited yet looks for a cancel as soon as
// it is; one that is so no more is about to end.
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
      slot.state = SlotState::kDead;  // its process will find that it is not wanted
    else if (slot.state == SlotState::kStarting)
      free_slot_locked(slot);
  }
}

namespace {

// A second signal would hit what comes after the run.
void cancel_locked(WorkerSlot& slot, std::int64_t now) noexcept {
  if (std::exchange(slot.cancel_requested, true)) return;
  slot.canceled_at = now;
  if (slot.pid != 0) kill(slot.pid, SIGINT);
}

// Asks every worker whose run is `meant` to cancel it. True where there was one.
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
      slot.yields = false;  // it is not wanted any more
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
    const WorkerSlot& seen = view.slot;
    if (slot.generation != seen.generation || !has_run(slot) || slot.taken_at != seen.taken_at ||
        slot.cancel_requested)
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
