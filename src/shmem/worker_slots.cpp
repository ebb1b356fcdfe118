// The state machine of the worker slots.
//
// A slot has three users: the scheduler of its database assigns runs and collects results, the
// worker moves the run from begin to end, and sessions read or cancel. All of them copy or change a
// slot under the lock of the area. A process that dies leaves its slot in before_shmem_exit, by
// detach_worker(). The scheduler learns from kDead that the run was interrupted.
//
// The generation identifies one use of a slot by one process. Example: the scheduler reserves slot
// 3 with generation 17 and starts a process. If the slot is given up before the process arrives,
// attach_worker(3, 17) returns false, and the process exits.
#include "shmem/worker_slots.hpp"

#include "pg/time.hpp"
#include "shmem/area.hpp"
#include "shmem/skipped_jobs.hpp"

namespace metrics_refresh::shmem {
namespace {

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

// The slot of this process if it is a worker, otherwise -1.
int own_slot = -1;

}  // namespace

bool has_task(const WorkerSlot& slot) noexcept {
  return slot.state == SlotState::kAssigned || slot.state == SlotState::kRunning;
}

bool has_run(const WorkerSlot& slot) noexcept {
  return has_task(slot) && slot.run.kind == TaskKind::kRun;
}

bool is_service(const WorkerSlot& slot) noexcept {
  return has_task(slot) && slot.run.kind == TaskKind::kQueueService;
}

void free_slot_locked(WorkerSlot& slot) noexcept {
  slot = {};
  wake_waiting_locked();
}

std::map<Oid, int> runs_by_owner() {
  std::map<Oid, int> runs;
  for (const SlotView& view : copy_slots([](const WorkerSlot& slot) { return has_run(slot); }))
    ++runs[view.slot.run.owner];
  return runs;
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
        if (slot.worker == nullptr) {  // the worker has exited
          free_slot_locked(slot);
          continue;
        }
        slot.state = SlotState::kIdle;
        if (slot.leave) SetLatch(&slot.worker->procLatch);
      } else if (slot.state == SlotState::kDead) {
        finished.push_back({i, slot});
        free_slot_locked(slot);
      }
    }
  });
  return finished;
}

void mark_never_started(int index, std::uint64_t generation) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    if (slot.generation != generation || slot.worker != nullptr) return;
    if (slot.state == SlotState::kAssigned) slot.state = SlotState::kDead;
    if (slot.state == SlotState::kStarting) free_slot_locked(slot);
  });
}

bool count_missed(Oid database, std::int64_t job_id, TimestampTz due) {
  return locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    bool found = false;
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (slot.database != database || slot.run.job_id != job_id || !has_run(slot)) continue;
      slot.missed++;
      slot.last_missed = due;
      found = true;
    }
    return found;
  });
}

std::vector<SlotView> busy_slots(Oid database) {
  return copy_slots([=](const WorkerSlot& slot) {
    return (!OidIsValid(database) || slot.database == database) && has_run(slot);
  });
}

std::vector<SlotView> unfinished_slots(Oid database) {
  return copy_slots([=](const WorkerSlot& slot) {
    return slot.database == database && slot.run.kind == TaskKind::kRun &&
           (has_run(slot) || slot.state == SlotState::kEnded || slot.state == SlotState::kDead);
  });
}

bool has_tasks(Oid database) {
  return locked(LW_SHARED, [=] {
    Area* const shared = area();
    for (int i = 0; i < shared->max_workers; ++i)
      if (shared->slots[i].database == database && has_task(shared->slots[i])) return true;
    return false;
  });
}

// A condition variable needs no list of waiting sessions. A broadcast wakes all of them, and each
// one checks its own run.
void announce_run_end() {
  pg::call([] { ConditionVariableBroadcast(&area()->run_ended); });
}

void prepare_for_run_end() { ConditionVariablePrepareToSleep(&area()->run_ended); }

void sleep_until_run_end(long timeout) {
  (void)ConditionVariableTimedSleep(&area()->run_ended, timeout, PG_WAIT_EXTENSION);
}

void cancel_run_end_sleep() { ConditionVariableCancelSleep(); }

bool has_unfinished_locked(Oid database) noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_workers; ++i) {
    const WorkerSlot& slot = shared->slots[i];
    if (slot.database == database && slot.state != SlotState::kFree &&
        slot.state != SlotState::kIdle && slot.state != SlotState::kStarting)
      return true;
  }
  return false;
}

void free_dead_slots(Oid database) {
  locked(LW_EXCLUSIVE, [=] {
    free_dead_slots_locked(database);
    forget_skipped_jobs_locked(database);
  });
}

void free_dead_slots_locked(Oid database) noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_workers; ++i) {
    WorkerSlot& slot = shared->slots[i];
    const bool gone = slot.state == SlotState::kDead ||
                      (slot.state == SlotState::kEnded && slot.worker == nullptr);
    if (slot.database == database && gone) free_slot_locked(slot);
  }
}

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
    // If the scheduler still exists, it must learn from kDead that the assigned run has no worker.
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
    // Two clocks: the log shows the wall clock, and limits use the steady one.
    slot.started_at_steady = now;
    run = slot.run;
    return true;
  });
}

void report_begin(int index, std::int64_t run_id) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    slot.run.run_id = run_id;
    slot.begin_is_reported = true;
  });
}

void set_limits(int index, std::int64_t deadline, std::int64_t grace) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    slot.limited = true;
    slot.deadline = deadline;
    // A cancel request that came before has started the grace period already.
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

bool is_to_leave(int index) noexcept {
  const volatile WorkerSlot& slot = area()->slots[index];
  return slot.leave;
}

void show_rest(int index, bool rests) noexcept {
  volatile WorkerSlot& slot = area()->slots[index];
  slot.rests = rests;
}

void show_work(int index) noexcept {
  volatile WorkerSlot& slot = area()->slots[index];
  if (!slot.has_worked) slot.has_worked = true;
}

// The state changes before the broadcast, so that each session that wakes up sees the end.
void end_run(int index, RunResult result, bool last) {
  locked(LW_EXCLUSIVE, [=] {
    WorkerSlot& slot = area()->slots[index];
    slot.state = SlotState::kEnded;
    slot.result = result;
    slot.begin_is_reported = true;
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
  // This is a callback at exit, so it uses only calls that cannot raise an error. The slot may
  // belong to another process by now, if the scheduler has freed it.
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  WorkerSlot& slot = shared->slots[index];
  if (slot.generation == generation) {
    // Without a run, or if the database has no entry, there is nothing to collect.
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
