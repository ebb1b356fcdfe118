#include "shmem/queue_share.hpp"

#include <algorithm>
#include <csignal>

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {

void publish_queue(Oid database, bool has_queue) {
  locked(LW_EXCLUSIVE, [=] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr || entry->has_queue == has_queue) return;
    entry->has_queue = has_queue;
    count_queues_locked();
    wake_waiting_locked();  // the runs' part may be larger now
  });
}

bool is_service_starting(Oid database, Oid owner) {
  return locked(LW_SHARED, [=] {
    Area* const shared = area();
    for (int i = 0; i < shared->max_workers; ++i) {
      const WorkerSlot& slot = shared->slots[i];
      if (is_service(slot) && slot.state == SlotState::kAssigned && slot.database == database &&
          slot.run.owner == owner)
        return true;
    }
    return false;
  });
}

namespace {

int most_services_locked() noexcept { return area()->queues == 0 ? 0 : settings::queue_workers(); }

int services_locked() noexcept {
  Area* const shared = area();
  int count = 0;
  for (int i = 0; i < shared->max_workers; ++i)
    if (is_service(shared->slots[i])) ++count;
  return count;
}

int services_of_locked(Oid database, Oid owner) noexcept {
  Area* const shared = area();
  int count = 0;
  for (int i = 0; i < shared->max_workers; ++i) {
    const WorkerSlot& slot = shared->slots[i];
    if (is_service(slot) && slot.database == database && slot.run.owner == owner) ++count;
  }
  return count;
}

// The next free worker is kept for the owner who asked for one first, as long as it asks again.
constexpr std::int64_t kKept = 200'000;

bool is_kept_for_other(Oid database, Oid owner, std::int64_t now) noexcept {
  const Area* const shared = area();
  return now < shared->next_service_until &&
         (shared->next_service_database != database || shared->next_service_owner != owner);
}

// Of those that may be asked: a resting one, else one of the owner with the most workers, else the
// one that began first.
WorkerSlot* find_leaving_locked(std::int64_t turn, std::int64_t now) noexcept {
  Area* const shared = area();
  WorkerSlot* chosen = nullptr;
  int most = 0;
  for (int i = 0; i < shared->max_workers; ++i) {
    WorkerSlot& slot = shared->slots[i];
    if (!is_service(slot) || slot.state != SlotState::kRunning || slot.worker == nullptr) continue;
    if (!slot.rests && now - slot.started_at_steady < turn) continue;
    const int count = slot.rests ? PG_INT32_MAX : services_of_locked(slot.database, slot.run.owner);
    if (chosen != nullptr &&
        (count < most || (count == most && slot.started_at_steady >= chosen->started_at_steady)))
      continue;
    chosen = &slot;
    most = count;
  }
  return chosen;
}

WorkerSlot* leaving_service_locked() noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_workers; ++i)
    if (is_service(shared->slots[i]) && shared->slots[i].leave) return &shared->slots[i];
  return nullptr;
}

// REQUIRES: the worker is attached.
void ask_to_leave(WorkerSlot& slot, std::int64_t now) noexcept {
  slot.leave = true;
  slot.canceled_at = now;
  SetLatch(&slot.worker->procLatch);
}

void have_one_leave_locked(std::int64_t turn, std::int64_t yield_after, std::int64_t now) noexcept {
  if (const WorkerSlot* const leaving = leaving_service_locked()) {
    if (yield_after > 0 && leaving->pid != 0 && now - leaving->canceled_at >= yield_after &&
        services_of_locked(leaving->database, leaving->run.owner) > 1)
      kill(leaving->pid, SIGTERM);
    return;
  }
  if (WorkerSlot* const chosen = find_leaving_locked(turn, now)) ask_to_leave(*chosen, now);
}

}  // namespace

bool may_serve_locked(Oid database, Oid owner) noexcept {
  const int free = most_services_locked() - services_locked();
  return free > (is_kept_for_other(database, owner, pg::steady_now()) ? 1 : 0);
}

void forget_kept_service_locked(Oid database, Oid owner) noexcept {
  if (!is_kept_for_other(database, owner, pg::steady_now())) area()->next_service_until = 0;
}

void end_turn_of_service(Oid database, Oid owner, std::int64_t turn, std::int64_t yield_after) {
  const std::int64_t now = pg::steady_now();
  locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    if (!is_kept_for_other(database, owner, now)) {
      shared->next_service_database = database;
      shared->next_service_owner = owner;
      shared->next_service_until = now + kKept;
    }
    // Otherwise a worker is about to be free.
    if (services_locked() >= most_services_locked()) have_one_leave_locked(turn, yield_after, now);
  });
}

void end_rest_of_service() {
  locked(LW_EXCLUSIVE, [now = pg::steady_now()] {
    if (services_locked() >= most_services_locked()) have_one_leave_locked(PG_INT64_MAX, 0, now);
  });
}

void end_rests_in(Oid database) {
  locked(LW_EXCLUSIVE, [database, now = pg::steady_now()] {
    Area* const shared = area();
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (is_service(slot) && slot.database == database && slot.rests && !slot.leave)
        ask_to_leave(slot, now);
    }
  });
}

void lend_only_worker(std::int64_t turn) {
  if (area()->max_workers > 1) return;  // it never changes
  locked(LW_EXCLUSIVE, [turn, now = pg::steady_now()] { have_one_leave_locked(turn, 0, now); });
}

int most_runs_locked() noexcept {
  return std::max(area()->max_workers - most_services_locked(), 1);
}

void count_queues_locked() noexcept {
  Area* const shared = area();
  shared->queues = 0;
  for (int i = 0; i < shared->max_databases; ++i)
    if (shared->databases[i].has_queue) ++shared->queues;
}

}  // namespace metrics_refresh::shmem
