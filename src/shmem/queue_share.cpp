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

int services_of_locked(Oid database, Oid owner) noexcept {
  Area* const shared = area();
  int count = 0;
  for (int i = 0; i < shared->max_workers; ++i) {
    const WorkerSlot& slot = shared->slots[i];
    if (is_service(slot) && slot.database == database && slot.run.owner == owner) ++count;
  }
  return count;
}

}  // namespace

// Of those that may be asked: a resting one, else one of the owner with the most workers, else the
// one that began first.
void end_turn_of_service(std::int64_t turn, std::int64_t yield_after) {
  const std::int64_t now = pg::steady_now();
  locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    if (services_locked() < most_services_locked()) return;  // a slot is about to be free
    WorkerSlot* chosen = nullptr;
    int most = 0;
    for (int i = 0; i < shared->max_workers; ++i) {
      WorkerSlot& slot = shared->slots[i];
      if (!is_service(slot)) continue;
      if (slot.leave) {
        if (yield_after > 0 && slot.pid != 0 && now - slot.canceled_at >= yield_after &&
            services_of_locked(slot.database, slot.run.owner) > 1)
          kill(slot.pid, SIGTERM);
        return;
      }
      if (slot.state != SlotState::kRunning || slot.worker == nullptr) continue;
      if (!slot.rests && now - slot.started_at_steady < turn) continue;
      const int count =
          slot.rests ? PG_INT32_MAX : services_of_locked(slot.database, slot.run.owner);
      if (chosen != nullptr &&
          (count < most || (count == most && slot.started_at_steady >= chosen->started_at_steady)))
        continue;
      chosen = &slot;
      most = count;
    }
    if (chosen == nullptr) return;
    chosen->leave = true;
    chosen->canceled_at = now;
    SetLatch(&chosen->worker->procLatch);
  });
}

void end_rest_of_service() { end_turn_of_service(PG_INT64_MAX, 0); }

int most_services_locked() noexcept { return area()->queues == 0 ? 0 : settings::queue_workers(); }

int most_runs_locked() noexcept {
  return std::max(area()->max_workers - most_services_locked(), 1);
}

int services_locked() noexcept {
  Area* const shared = area();
  int count = 0;
  for (int i = 0; i < shared->max_workers; ++i)
    if (is_service(shared->slots[i])) ++count;
  return count;
}

void count_queues_locked() noexcept {
  Area* const shared = area();
  shared->queues = 0;
  for (int i = 0; i < shared->max_databases; ++i)
    if (shared->databases[i].has_queue) ++shared->queues;
}

}  // namespace metrics_refresh::shmem
