#include "shmem/queue/crashed_jobs.hpp"

#include <algorithm>

#include "shmem/queue/memory.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

template <typename Body>
void with_registry(LWLockMode mode, Body&& body) {
  pg::call([mode, &body] {
    LWLockAcquire(registry->lock, mode);
    body();
    LWLockRelease(registry->lock);
  });
}

void store(const std::vector<CrashedJob>& jobs) {
  with_registry(LW_EXCLUSIVE, [&jobs] {
    registry->crashed_count =
        static_cast<int>(std::min<std::size_t>(jobs.size(), kMostClaimedJobs));
    std::copy_n(jobs.begin(), registry->crashed_count, registry->crashed);
    registry->knows_crash = true;
  });
}

}  // namespace

void take_claims_file() {
  bool is_known = false;
  with_registry(LW_SHARED, [&is_known] { is_known = registry->knows_crash; });
  if (is_known) return;
  store(read_claims_file());
  remove_claims_file();
}

CrashedJobs crashed_jobs() {
  CrashedJobs found;
  found.jobs.resize(kMostClaimedJobs);
  int count = 0;
  with_registry(LW_SHARED, [&found, &count] {
    for (int i = 0; i < registry->crashed_count; ++i) {
      const CrashedJob& job = registry->crashed[i];
      if (job.database != MyDatabaseId || job.group != 0)
        ++found.others;
      else if (job.job != 0)
        found.jobs[static_cast<std::size_t>(count++)] = job;
    }
  });
  found.jobs.resize(static_cast<std::size_t>(count));
  return found;
}

// The entries stay, since other databases ask how many there were.
void forget_crashed_jobs() {
  with_registry(LW_EXCLUSIVE, [] {
    for (int i = 0; i < registry->crashed_count; ++i) {
      CrashedJob& job = registry->crashed[i];
      if (job.database == MyDatabaseId && job.group == 0) job.job = 0;
    }
  });
}

// Without the lock, because groups do not change any more.
bool has_crashed_in_group(std::int32_t type) noexcept {
  for (int i = 0; i < registry->crashed_count; ++i)
    if (registry->crashed[i].group == type && registry->crashed[i].database == MyDatabaseId)
      return true;
  return false;
}

}  // namespace metrics_refresh::shmem::queue
