#include "shmem/waiting.hpp"

#include "shmem/area.hpp"

namespace metrics_refresh::shmem {

void publish_waiting(Oid database, const std::vector<WaitingRun>& runs) {
  locked(LW_EXCLUSIVE, [&] {
    // One pass replaces the runs of this database and uses free entries. If there are too many
    // runs, the last ones are not shown.
    std::size_t next = 0;
    for (WaitingRun& entry : area()->waiting) {
      if (OidIsValid(entry.database) && entry.database != database) continue;
      entry = next < runs.size() ? runs[next++] : WaitingRun{};
    }
  });
}

void clear_waiting_locked(Oid database) noexcept {
  for (WaitingRun& entry : area()->waiting)
    if (entry.database == database) entry = {};
}

std::vector<WaitingRun> waiting_runs(Oid database) {
  std::vector<WaitingRun> runs;
  if (area() == nullptr) return runs;
  runs.reserve(kMaxShownWaiting);  // no allocation under the lock
  locked(LW_SHARED, [&] {
    for (const WaitingRun& entry : area()->waiting)
      if (entry.database == database) runs.push_back(entry);
  });
  return runs;
}

}  // namespace metrics_refresh::shmem
