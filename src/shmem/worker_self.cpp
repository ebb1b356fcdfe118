// A worker's own part of the pool.
#include "pg/time.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

int own_slot = -1;

}  // namespace

bool has_arrived(int index, std::uint64_t generation) {
  const WorkerSlot slot = read_slot(index);
  return slot.generation != generation || slot.worker != nullptr;
}

bool attach_worker(int index, std::uint64_t generation) {
  return locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    const bool spare = slot.state == SlotState::kStarting;
    if (slot.generation != generation || (!spare && slot.state != SlotState::kAssigned))
      return false;
    if (!may_be_entered_locked(slot.database)) {
      slot.state = SlotState::kDead;
      if (spare || !is_known_locked(slot.database)) free_slot_locked(slot);
      return false;
    }
    slot.worker = MyProc;
    slot.pid = MyProcPid;
    if (spare) slot.state = SlotState::kIdle;
    own_slot = index;
    return true;
  });
}

WorkerSlot read_slot(int index) {
  return locked(LW_SHARED, [=] { return area()->slots[index]; });
}

bool take_assignment(int index, Assignment& run) {
  const std::int64_t now = pg::steady_now();
  return locked(LW_EXCLUSIVE, [&] {
    WorkerSlot& slot = area()->slots[index];
    if (slot.state != SlotState::kAssigned) return false;
    slot.state = SlotState::kRunning;
    slot.started_at = GetCurrentTimestamp();
    slot.taken_at = now;
    run = slot.run;
    return true;
  });
}

void note_begin(int index, std::int64_t run_id) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    slot.run.run_id = run_id;
    slot.noted = true;
  });
}

void set_limits(int index, std::int64_t deadline, std::int64_t grace) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    slot.limited = true;
    slot.deadline = deadline;
    const std::int64_t first = slot.cancel_requested ? slot.canceled_at : deadline;
    if (!looks_before_locked(slot.database, first + grace)) wake_scheduler_locked(slot.database);
  });
}

void lift_limits(int index) {
  locked(LW_EXCLUSIVE, [=] { area()->slots[index].limited = false; });
}

void show_progress(const Progress& progress) noexcept {
  if (own_slot < 0) return;
  LWLockAcquire(area()->lock, LW_EXCLUSIVE);
  area()->slots[own_slot].progress = progress;
  LWLockRelease(area()->lock);
}

void end_run(int index, RunResult result, bool last) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    slot.state = SlotState::kEnded;
    slot.result = result;
    slot.noted = true;
    slot.leave = slot.leave || last;
    wake_scheduler_locked(slot.database);
  });
  announce_run_end();
}

bool leave_idle(int index) {
  return locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    if (slot.state == SlotState::kEnded) slot.leave = true;
    if (slot.state != SlotState::kIdle) return false;
    free_slot_locked(slot);
    return true;
  });
}

void detach_worker(int index, std::uint64_t generation, EndReason end) noexcept {
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  WorkerSlot& slot = shared->slots[index];
  if (slot.generation == generation) {
    if (slot.state == SlotState::kIdle || !is_known_locked(slot.database)) {
      free_slot_locked(slot);
    } else {
      if (slot.state != SlotState::kEnded) slot.state = SlotState::kDead;
      if (slot.end == EndReason::kNone) slot.end = end;
      slot.worker = nullptr;
      slot.pid = 0;
      wake_scheduler_locked(slot.database);
    }
  }
  LWLockRelease(shared->lock);
  ConditionVariableBroadcast(&shared->run_ended);
}

}  // namespace metrics_refresh::shmem
