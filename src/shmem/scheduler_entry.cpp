// The scheduler's part of the registry.
#include "shmem/area.hpp"
#include "shmem/skipped_jobs.hpp"

namespace metrics_refresh::shmem {

bool attach_scheduler(Oid database) {
  return locked(LW_EXCLUSIVE, [=] {
    wake_launcher_locked();  // it waits for this report before it starts others
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr || entry->scheduler != nullptr) return false;
    entry->starting = false;
    if (is_sent_away(*entry, GetCurrentTimestamp())) {
      entry->wanted = true;
      return false;
    }
    entry->scheduler = MyProc;
    entry->looks_at = kNever;
    entry->wanted = false;
    // It reads everything now, but whose cancellation is asked for is written nowhere else.
    entry->changes.any = entry->changes.canceled_count > 0;
    entry->changes.all = false;
    entry->changes.count = 0;
    return true;
  });
}

void detach_scheduler(Oid database, bool failed) noexcept {
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseEntry* const entry = find_database_locked(database);
  if (entry != nullptr && entry->scheduler == MyProc) end_service_locked(*entry, failed);
  LWLockRelease(shared->lock);
}

bool forget_database(Oid database) {
  return locked(LW_EXCLUSIVE, [=] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr || entry->scheduler != MyProc) return false;
    if (entry->changes.any) {
      entry->wanted = true;
      return false;
    }
    *entry = {};
    refuse_hand_overs_locked(database);
    free_dead_slots_locked(database);
    forget_skipped_jobs_locked(database);
    return true;
  });
}

Changes take_changes(Oid database) {
  Changes changes = {};
  locked(LW_EXCLUSIVE, [&] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr) return;
    changes = entry->changes;
    entry->changes = {};
    entry->wanted = false;
  });
  return changes;
}

void publish_schedule(Oid database, TimestampTz next_due, int waiting, std::int64_t looks_at) {
  locked(LW_EXCLUSIVE, [=] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr) return;
    entry->next_due = next_due;
    entry->looks_at = looks_at;
    entry->waiting = waiting;
    if (waiting == 0)
      entry->waiting_since = 0;
    else if (entry->waiting_since == 0)
      entry->waiting_since = GetCurrentTimestamp();
    entry->failures = 0;
  });
}

bool leave_database(Oid database) {
  return locked(LW_EXCLUSIVE, [=] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr) return true;
    if (entry->changes.any || has_unfinished_locked(database) ||
        has_open_hand_overs_locked(database))
      return false;
    entry->scheduler = nullptr;
    entry->waiting = 0;
    entry->waiting_since = 0;
    wake_launcher_locked();
    return true;
  });
}

}  // namespace metrics_refresh::shmem
