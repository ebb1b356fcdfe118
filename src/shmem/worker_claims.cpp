// Slots for new tasks.
//
// Between the claim and the arrival of the process, a slot belongs to no process. Its generation
// tells the process that arrives whether the claim still holds (worker_slots.cpp).
#include "shmem/worker_claims.hpp"

#include <algorithm>

#include "pg/time.hpp"
#include "shmem/area.hpp"
#include "shmem/queue_share.hpp"

namespace metrics_refresh::shmem {
namespace {

void assign(WorkerSlot& slot, const Assignment& run) noexcept {
  slot.state = SlotState::kAssigned;
  slot.run = run;
  slot.cancel_requested = run.canceled;
  slot.yields = false;
  slot.limited = false;
  slot.end = EndReason::kNone;
  slot.canceled_at = run.canceled ? pg::steady_now() : 0;
  slot.deadline = 0;
  slot.leave = false;
  slot.rests = false;
  slot.has_worked = false;
  slot.begin_is_reported = false;
  slot.result = RunResult::kSuccess;
  slot.started_at = 0;
  slot.started_at_steady = 0;
  slot.progress = {};
  slot.missed = run.missed;
  slot.last_missed = 0;
}

// The process that the caller starts identifies its slot by the generation.
Claim reserve(WorkerSlot& slot, Oid database, const Session& session) noexcept {
  slot.generation = ++area()->generations;
  slot.database = database;
  slot.session = session;
  slot.worker = nullptr;
  slot.pid = 0;
  return {static_cast<int>(&slot - area()->slots), true, slot.generation};
}

bool is_available(const WorkerSlot& slot) noexcept {
  return !slot.leave && (slot.state == SlotState::kIdle || slot.state == SlotState::kStarting);
}

// The run of a slot without a process waits again. If it was canceled, it must not begin, so its
// end is logged like that of a run whose worker died. Returns true if the slot is free.
bool release_locked(WorkerSlot& slot) noexcept {
  const bool canceled = slot.state == SlotState::kAssigned && slot.cancel_requested && !slot.yields;
  if (canceled && is_known_locked(slot.database)) {
    slot.state = SlotState::kDead;
    wake_scheduler_locked(slot.database);
    return false;
  }
  free_slot_locked(slot);
  return true;
}

// Gives the task to a worker of the session. The order of preference is an idle worker, a starting
// worker, and a new process, because each is slower than the one before it.
Claim assign_to_session(Oid database, const Session& session, const Assignment& task) noexcept {
  Area* const shared = area();
  WorkerSlot* idle = nullptr;
  WorkerSlot* starting = nullptr;
  WorkerSlot* unused = nullptr;
  WorkerSlot* foreign = nullptr;
  for (int i = 0; i < shared->max_workers; ++i) {
    WorkerSlot& slot = shared->slots[i];
    if (slot.state == SlotState::kFree) {
      if (unused == nullptr) unused = &slot;
    } else if (is_available(slot)) {
      if (slot.database != database || !(slot.session == session))
        foreign = slot.state == SlotState::kIdle ? &slot : foreign;
      else if (slot.state == SlotState::kIdle)
        idle = &slot;
      else
        starting = &slot;
    }
  }
  if (idle == nullptr) idle = starting;
  if (idle != nullptr) {
    // A starting worker has no latch yet. It finds the task when it enters its slot.
    assign(*idle, task);
    if (idle->worker != nullptr) SetLatch(&idle->worker->procLatch);
    return {static_cast<int>(idle - shared->slots), false, idle->generation};
  }
  if (unused == nullptr) {
    if (foreign != nullptr) {
      foreign->leave = true;
      SetLatch(&foreign->worker->procLatch);
    }
    return {-1, false, 0};
  }
  assign(*unused, task);
  return reserve(*unused, database, session);
}

}  // namespace

Claim claim_slot(Oid database, const Session& session, const Assignment& run) {
  return locked(LW_EXCLUSIVE, [&]() -> Claim {
    Area* const shared = area();
    int runs = 0;
    for (int i = 0; i < shared->max_workers; ++i) {
      const WorkerSlot& slot = shared->slots[i];
      if (!has_run(slot)) continue;
      ++runs;
      if (slot.database == database && slot.run.job_id == run.job_id &&
          slot.run.member == run.member)
        return {-1, false, 0};
    }
    if (runs >= most_runs_locked()) return {-1, false, 0};
    return assign_to_session(database, session, run);
  });
}

Claim claim_service(Oid database, const Session& session, Oid owner) {
  Assignment service = {};
  service.kind = TaskKind::kQueueService;
  service.owner = owner;
  service.member = kNoMember;
  return locked(LW_EXCLUSIVE, [&]() -> Claim {
    if (!may_serve_locked(database, owner)) return {-1, false, 0};
    const Claim claim = assign_to_session(database, session, service);
    if (claim.index >= 0) forget_kept_service_locked(database, owner);
    return claim;
  });
}

Claim claim_spare(Oid database, const Session& session, int wanted) {
  return locked(LW_EXCLUSIVE, [=]() -> Claim {
    Area* const shared = area();
    WorkerSlot* unused = nullptr;
    int ready = 0;
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.state == SlotState::kFree && unused == nullptr) unused = &slot;
      if (is_available(slot) && slot.database == database && slot.session == session) ++ready;
    }
    if (unused == nullptr || ready >= wanted) return {-1, false, 0};
    unused->state = SlotState::kStarting;
    unused->leave = false;
    return reserve(*unused, database, session);
  });
}

bool make_room(Oid database, const std::map<Session, int>& wanted) {
  return locked(LW_EXCLUSIVE, [&] {
    Area* const shared = area();
    int lacking = 0;
    for (const auto& [session, count] : wanted) {
      int ready = 0;
      for (int i = 0; i < shared->max_workers; ++i) {
        const WorkerSlot& slot = shared->slots[i];
        if (is_available(slot) && slot.database == database && slot.session == session) ++ready;
      }
      lacking += std::max(0, count - ready);
    }
    int leaving = 0;
    for (int i = 0; i < shared->max_workers; ++i) {
      const WorkerSlot& slot = shared->slots[i];
      if (slot.state == SlotState::kFree) --lacking;
      if (slot.state == SlotState::kIdle && slot.leave) ++leaving;
    }
    for (int i = 0; i < shared->max_workers && leaving < lacking; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.state != SlotState::kIdle || slot.leave ||
          (slot.database == database && wanted.count(slot.session) != 0))
        continue;
      slot.leave = true;
      SetLatch(&slot.worker->procLatch);
      ++leaving;
    }
    return lacking > 0 && leaving > 0;
  });
}

int free_workers(Oid database, int limit) {
  return locked(LW_SHARED, [=] {
    Area* const shared = area();
    int free = 0;
    int busy = 0;
    int runs = 0;
    for (int i = 0; i < shared->max_workers; ++i) {
      const WorkerSlot& slot = shared->slots[i];
      const bool own = slot.database == database;
      if (has_run(slot)) ++runs;
      if (own && has_run(slot)) ++busy;
      if (slot.state == SlotState::kFree || (own && is_available(slot)) ||
          slot.state == SlotState::kIdle)
        ++free;
    }
    free = std::min(free, most_runs_locked() - runs);
    if (limit > 0) free = std::min(free, limit - busy);
    return std::max(free, 0);
  });
}

bool release_claim(int index, std::uint64_t generation) {
  return locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    return slot.generation != generation || release_locked(slot);
  });
}

void release_unstarted(Oid database) {
  locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.database == database && slot.worker == nullptr &&
          (slot.state == SlotState::kStarting || slot.state == SlotState::kAssigned))
        (void)release_locked(slot);
    }
  });
}

}  // namespace metrics_refresh::shmem
