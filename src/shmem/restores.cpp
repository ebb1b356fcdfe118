#include "shmem/restores.hpp"

#include <algorithm>

#include "pg/time.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

// The place of this session, or -1.
int own_place = -1;

// A callback of before_shmem_exit, because a session may end by FATAL, which runs no destructor.
void end_restore(int, Datum) {
  Restore& own = area()->restores[own_place];
  const Oid database = own.database;
  LWLockAcquire(area()->lock, LW_EXCLUSIVE);
  own = {};
  LWLockRelease(area()->lock);
  wake_scheduler(database);
}

int claim_place_locked() {
  for (int i = 0; i < kMaxRestores; ++i)
    if (!OidIsValid(area()->restores[i].database)) return i;
  return -1;
}

}  // namespace

void register_restore() {
  if (area() == nullptr) return;
  const std::int64_t now = pg::steady_now();
  const bool is_new = own_place < 0;
  LWLockAcquire(area()->lock, LW_EXCLUSIVE);
  if (is_new) own_place = claim_place_locked();
  if (own_place >= 0) area()->restores[own_place] = {MyDatabaseId, now};
  LWLockRelease(area()->lock);
  // Not under the lock, because it may raise.
  if (is_new && own_place >= 0) before_shmem_exit(end_restore, 0);
}

std::int64_t restored_until(Oid database) {
  return locked(LW_SHARED, [=] {
    std::int64_t until = 0;
    for (const Restore& restore : area()->restores)
      if (restore.database == database) until = std::max(until, restore.began + kLongestRestore);
    return until > pg::steady_now() ? until : 0;
  });
}

}  // namespace metrics_refresh::shmem
