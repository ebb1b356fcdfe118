#include "shmem/queue_share.hpp"

#include <algorithm>

#include "extension/settings.hpp"
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

int most_services() {
  return locked(LW_SHARED, [] { return most_services_locked(); });
}

int services() {
  return locked(LW_SHARED, [] { return services_locked(); });
}

int most_services_locked() noexcept {
  return area()->queues == 0 ? 0 : settings::queue_workers();
}

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
