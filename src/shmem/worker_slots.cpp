#include "shmem/worker_slots.hpp"

#include <csignal>

#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

bool has_run(const WorkerSlot& slot) noexcept {
  return slot.state == SlotState::kAssigned || slot.state == SlotState::kRunning;
}

void assign(WorkerSlot& slot, const Assignment& run) noexcept {
  slot.state = SlotState::kAssigned;
  slot.run = run;
  slot.cancel_requested = false;
  slot.leave = false;
  slot.noted = false;
  slot.started_at = 0;
  slot.missed = 0;
}

void free_slot(WorkerSlot& slot) noexcept {
  slot = {};
  wake_waiting_locked();
}

template <typename Wanted>
std::vector<SlotView> copy_slots(Wanted&& wanted) {
  Area& shared = required_area();
  std::vector<SlotView> copies;
  copies.reserve(static_cast<std::size_t>(shared.max_workers));  // no allocation under the lock
  locked(LW_SHARED, [&] {
    for (int i = 0; i < shared.max_workers; ++i)
      if (wanted(shared.slots[i])) copies.push_back({i, shared.slots[i]});
  });
  return copies;
}

}  // namespace

Claim claim_slot(Oid database, Oid role, const Assignment& run) {
  return locked(LW_EXCLUSIVE, [&]() -> Claim {
    Area* const shared = area();
    WorkerSlot* unused = nullptr;
    WorkerSlot* foreign = nullptr;
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (has_run(slot) && slot.database == database && slot.run.job_id == run.job_id)
        return {-1, false, 0};
    }
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.state == SlotState::kFree && unused == nullptr) unused = &slot;
      if (slot.state != SlotState::kIdle || slot.leave) continue;
      if (slot.database == database && slot.role == role) {
        assign(slot, run);
        SetLatch(&slot.worker->procLatch);
        return {i, false, slot.generation};
      }
      foreign = &slot;
    }
    if (unused == nullptr) {
      if (foreign != nullptr) {
        foreign->leave = true;
        SetLatch(&foreign->worker->procLatch);
      }
      return {-1, false, 0};
    }
    assign(*unused, run);
    unused->generation = ++shared->generations;
    unused->database = database;
    unused->role = role;
    unused->worker = nullptr;
    unused->pid = 0;
    return {static_cast<int>(unused - shared->slots), true, unused->generation};
  });
}

void release_claim(int index) {
  locked(LW_EXCLUSIVE, [=] { area()->slots[index] = {}; });
}

std::vector<SlotView> collect_finished(Oid database) {
  Area& shared = required_area();
  std::vector<SlotView> finished;
  finished.reserve(static_cast<std::size_t>(shared.max_workers));
  locked(LW_EXCLUSIVE, [&] {
    for (int i = 0; i < shared.max_workers; ++i) {
      WorkerSlot& slot = shared.slots[i];
      if (slot.database != database) continue;
      if (slot.state == SlotState::kEnded) {
        finished.push_back({i, slot});
        slot.state = SlotState::kIdle;
        SetLatch(&slot.worker->procLatch);  // its idle time starts now
      } else if (slot.state == SlotState::kDead) {
        finished.push_back({i, slot});
        free_slot(slot);
      }
    }
  });
  return finished;
}

void mark_never_started(int index, std::uint64_t generation) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    if (slot.generation == generation && slot.state == SlotState::kAssigned &&
        slot.worker == nullptr)
      slot.state = SlotState::kDead;
  });
}

void count_missed(Oid database, std::int64_t job_id) {
  locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.database == database && slot.run.job_id == job_id && has_run(slot)) slot.missed++;
    }
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
  }
}

std::vector<SlotView> busy_slots(Oid database) {
  return copy_slots(
      [=](const WorkerSlot& slot) { return slot.database == database && has_run(slot); });
}

void announce_run_end() {
  pg::call([] { ConditionVariableBroadcast(&area()->run_ended); });
}

bool cancel_run(Oid database, std::int64_t run_id) {
  return locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.database != database || slot.run.run_id != run_id || !has_run(slot)) continue;
      // A second signal would hit what comes after the run.
      if (!std::exchange(slot.cancel_requested, true) && slot.pid != 0) kill(slot.pid, SIGINT);
      return true;
    }
    return false;
  });
}

bool has_unfinished_locked(Oid database) noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_workers; ++i) {
    const WorkerSlot& slot = shared->slots[i];
    if (slot.database == database && slot.state != SlotState::kFree &&
        slot.state != SlotState::kIdle)
      return true;
  }
  return false;
}

void free_dead_slots(Oid database) {
  locked(LW_EXCLUSIVE, [=] { free_dead_slots_locked(database); });
}

void free_dead_slots_locked(Oid database) noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_workers; ++i) {
    WorkerSlot& slot = shared->slots[i];
    if (slot.database == database && slot.state == SlotState::kDead) free_slot(slot);
  }
}

bool has_arrived(int index, std::uint64_t generation) {
  const WorkerSlot slot = read_slot(index);
  return slot.generation != generation || slot.worker != nullptr;
}

bool attach_worker(int index, std::uint64_t generation) {
  return locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    if (slot.generation != generation || slot.state != SlotState::kAssigned) return false;
    if (!may_be_entered_locked(slot.database)) {
      slot.state = SlotState::kDead;
      if (!is_known_locked(slot.database)) free_slot(slot);
      return false;
    }
    slot.worker = MyProc;
    slot.pid = MyProcPid;
    return true;
  });
}

WorkerSlot read_slot(int index) {
  return locked(LW_SHARED, [=] { return area()->slots[index]; });
}

bool take_assignment(int index, Assignment& run) {
  return locked(LW_EXCLUSIVE, [&] {
    WorkerSlot& slot = area()->slots[index];
    if (slot.state != SlotState::kAssigned) return false;
    slot.state = SlotState::kRunning;
    slot.started_at = GetCurrentTimestamp();
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

void end_run(int index, bool last) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    slot.state = SlotState::kEnded;
    slot.noted = true;
    slot.leave = slot.leave || last;
    wake_scheduler_locked(slot.database);
  });
  announce_run_end();
}

std::int64_t missed_so_far(int index) { return read_slot(index).missed; }

bool cancel_requested(int index) { return read_slot(index).cancel_requested; }

bool asked_to_leave(int index) { return read_slot(index).leave; }

bool leave_idle(int index) {
  return locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    if (slot.state != SlotState::kIdle) return false;
    free_slot(slot);
    return true;
  });
}

void detach_worker(int index, std::uint64_t generation) noexcept {
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  WorkerSlot& slot = shared->slots[index];
  if (slot.generation == generation) {
    if (slot.state == SlotState::kIdle || !is_known_locked(slot.database)) {
      free_slot(slot);
    } else {
      slot.state = SlotState::kDead;
      slot.worker = nullptr;
      slot.pid = 0;
      wake_scheduler_locked(slot.database);
    }
  }
  LWLockRelease(shared->lock);
  ConditionVariableBroadcast(&shared->run_ended);
}

}  // namespace metrics_refresh::shmem
