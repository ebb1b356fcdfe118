// Connects backends, schedulers and the launcher through one entry for each database.
//
// Backends add news to an entry and wake its scheduler. If no scheduler runs, they set `wanted` and
// wake the launcher, which claims the start of one. The scheduler takes the news, and publishes its
// next due time before it sleeps or exits. If an exit and new news race, the lock decides: the news
// either keeps the scheduler from leaving, or it wakes the launcher.
#include "shmem/databases.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "shmem/area.hpp"
#include "shmem/queue_share.hpp"
#include "shmem/skipped_jobs.hpp"
#include "shmem/worker_end.hpp"

namespace metrics_refresh::shmem {
namespace {

// The delay after a failed start. It doubles with each failure, up to the longest.
constexpr int64 kFirstBackoff = USECS_PER_SEC;
constexpr int64 kLongestBackoff = USECS_PER_MINUTE;
// CountOtherDBBackends() waits up to 5 seconds for other sessions to leave a database. This must be
// longer.
constexpr int64 kAbsence = 6 * USECS_PER_SEC;

// A time that is further ahead than its longest possible delay was stored before the clock was set
// back. Such a time is ignored.
TimestampTz not_before(const DatabaseEntry& entry, TimestampTz now) noexcept {
  TimestampTz at = 0;
  if (entry.not_before <= now + kLongestBackoff) at = entry.not_before;
  if (is_sent_away(entry, now) && entry.sent_away_until > at) at = entry.sent_away_until;
  return at;
}

void merge(Changes& into, const std::int64_t* jobs, int count) noexcept {
  into.any = true;
  if (jobs == nullptr) into.all = true;
  for (int i = 0; i < count && !into.all; ++i) {
    if (into.count == kMaxPostedJobs)
      into.all = true;
    else
      into.jobs[into.count++] = jobs[i];
  }
}

// A latch alone is not enough, because the scheduler may reset it while it waits for a lock. The
// counter shows that it was woken (times_woken()).
void wake_locked(DatabaseEntry& entry) noexcept {
  ++entry.wakes;
  SetLatch(&entry.scheduler->procLatch);
}

// Wakes the scheduler of the database, or requests a start without delay. The news may have removed
// the cause of earlier failures, so the back-off ends.
void want_scheduler_locked(DatabaseEntry& entry) noexcept {
  entry.wanted = true;
  if (entry.scheduler != nullptr) {
    wake_locked(entry);
  } else {
    entry.failures = 0;
    entry.not_before = 0;
    wake_launcher_locked();
  }
}

void set_launcher(PGPROC* process) noexcept {
  LWLockAcquire(area()->lock, LW_EXCLUSIVE);
  area()->launcher = process;
  LWLockRelease(area()->lock);
}

}  // namespace

DatabaseEntry* find_database_locked(Oid database) noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_databases; ++i)
    if (shared->databases[i].database == database) return &shared->databases[i];
  return nullptr;
}

bool is_sent_away(const DatabaseEntry& entry, TimestampTz now) noexcept {
  return entry.sent_away_until > now && entry.sent_away_until <= now + kAbsence;
}

void post_changes(Oid database, const std::int64_t* jobs, int count) noexcept {
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseEntry* entry = find_database_locked(database);
  if (entry == nullptr) {
    entry = find_database_locked(InvalidOid);
    if (entry != nullptr) {
      *entry = {};
      entry->database = database;
      entry->next_due = kNever;
    }
  }
  if (entry != nullptr) {
    merge(entry->changes, jobs, count);
    want_scheduler_locked(*entry);
  }
  LWLockRelease(shared->lock);
  // After the lock was released, because ereport() may wait for the client.
  if (entry == nullptr)
    ereport(WARNING, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
            errmsg("metrics_refresh cannot serve more databases"),
            errhint("Raise metrics_refresh.max_databases and restart the server."));
}

void wake_scheduler(Oid database) noexcept {
  constexpr std::int64_t kNoJob = 0;  // job numbers begin at 1
  post_changes(database, &kNoJob, 1);
}

void post_all_databases() noexcept {
  LWLockAcquire(area()->lock, LW_EXCLUSIVE);
  for (int i = 0; i < area()->max_databases; ++i) {
    DatabaseEntry& entry = area()->databases[i];
    if (!OidIsValid(entry.database)) continue;
    merge(entry.changes, nullptr, 0);
    want_scheduler_locked(entry);
  }
  area()->look_at_all = true;
  wake_launcher_locked();
  LWLockRelease(area()->lock);
}

bool take_all_databases() {
  return locked(LW_EXCLUSIVE, [] { return std::exchange(area()->look_at_all, false); });
}

void post_roles(RoleNews news) noexcept {
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  for (int i = 0; i < shared->max_databases; ++i) {
    DatabaseEntry& entry = shared->databases[i];
    if (!OidIsValid(entry.database)) continue;
    entry.changes.any = true;
    entry.changes.roles = std::max(entry.changes.roles, news);
    // Jobs refer to their owners by name as well, so a rename must be followed at once.
    if (news == RoleNews::kRenamed || entry.scheduler != nullptr) want_scheduler_locked(entry);
  }
  LWLockRelease(shared->lock);
}

bool post_group_cancel(Oid database, std::int64_t group_run_id) {
  return locked(LW_EXCLUSIVE, [=] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr || entry->changes.canceled_count == kMaxPostedCancels) return false;
    entry->changes.any = true;
    entry->changes.canceled_groups[entry->changes.canceled_count++] = group_run_id;
    wake_scheduler_locked(database);
    return true;
  });
}

NeedOfScheduler claim_start(TimestampTz now, std::int64_t lead) {
  return locked(LW_EXCLUSIVE, [=]() -> NeedOfScheduler {
    Area* const shared = area();
    TimestampTz look_again = kNever;
    for (int i = 0; i < shared->max_databases; ++i) {
      DatabaseEntry& entry = shared->databases[i];
      if (!OidIsValid(entry.database) || entry.scheduler != nullptr || entry.starting) continue;
      TimestampTz at = entry.next_due == kNever ? kNever : entry.next_due - lead;
      if (entry.wanted) at = now;
      if (at < not_before(entry, now)) at = not_before(entry, now);
      if (at <= now) {
        entry.starting = true;
        return {entry.database, kNever};
      }
      if (at < look_again) look_again = at;
    }
    return {InvalidOid, look_again};
  });
}

void release_start(Oid database) {
  locked(LW_EXCLUSIVE, [=] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry != nullptr) entry->starting = false;
  });
}

bool is_starting(Oid database) {
  return locked(LW_SHARED, [=] {
    const DatabaseEntry* const entry = find_database_locked(database);
    return entry != nullptr && entry->starting;
  });
}

void want_all() {
  locked(LW_EXCLUSIVE, [] {
    for (int i = 0; i < area()->max_databases; ++i)
      if (OidIsValid(area()->databases[i].database)) area()->databases[i].wanted = true;
  });
}

void clear_starts() {
  locked(LW_EXCLUSIVE, [] {
    for (int i = 0; i < area()->max_databases; ++i) area()->databases[i].starting = false;
  });
}

std::vector<Oid> failing_databases() {
  std::vector<Oid> databases;
  databases.reserve(static_cast<std::size_t>(area()->max_databases));
  locked(LW_SHARED, [&databases] {
    for (int i = 0; i < area()->max_databases; ++i) {
      const DatabaseEntry& entry = area()->databases[i];
      if (OidIsValid(entry.database) && entry.failures > 0 && entry.scheduler == nullptr)
        databases.push_back(entry.database);
    }
  });
  return databases;
}

int known_databases() {
  return locked(LW_SHARED, [] {
    int count = 0;
    for (int i = 0; i < area()->max_databases; ++i)
      if (OidIsValid(area()->databases[i].database)) ++count;
    return count;
  });
}

void remove_database(Oid database) noexcept {
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseEntry* const entry = find_database_locked(database);
  if (entry != nullptr && entry->scheduler == nullptr) {
    *entry = {};
    count_queues_locked();
    free_dead_slots_locked(database);
    refuse_hand_overs_locked(database);
  }
  forget_skipped_jobs_locked(database);
  LWLockRelease(shared->lock);
}

void send_away(Oid database) noexcept {
  Area* const shared = area();
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseEntry* const entry = find_database_locked(database);
  if (entry != nullptr) {
    entry->sent_away_until = GetCurrentTimestamp() + kAbsence;
    if (entry->scheduler != nullptr) kill(entry->scheduler->pid, SIGTERM);
  }
  terminate_workers_locked(database);
  LWLockRelease(shared->lock);
}

void end_service_locked(DatabaseEntry& entry, bool failed) noexcept {
  entry.scheduler = nullptr;
  entry.starting = false;
  clear_waiting_locked(entry.database);
  entry.waiting = 0;
  entry.waiting_since = 0;
  if (failed) {
    const int64 backoff = entry.failures < 6 ? kFirstBackoff << entry.failures : kLongestBackoff;
    entry.failures++;
    entry.not_before = GetCurrentTimestamp() + backoff;
    entry.wanted = true;
  } else {
    entry.failures = 0;
  }
  wake_launcher_locked();
}

void abandon_start(Oid database) {
  locked(LW_EXCLUSIVE, [=] {
    DatabaseEntry* const entry = find_database_locked(database);
    if (entry != nullptr && entry->starting) end_service_locked(*entry, true);
  });
}

bool may_be_entered_locked(Oid database) noexcept {
  // A dropped database has no entry, so its workers are refused too.
  const DatabaseEntry* const entry = find_database_locked(database);
  return entry != nullptr && !is_sent_away(*entry, GetCurrentTimestamp());
}

bool is_known_locked(Oid database) noexcept { return find_database_locked(database) != nullptr; }

void wake_scheduler_locked(Oid database) noexcept {
  DatabaseEntry* const entry = find_database_locked(database);
  if (entry == nullptr) return;
  if (entry->scheduler != nullptr) {
    wake_locked(*entry);
  } else {
    entry->wanted = true;
    wake_launcher_locked();
  }
}

bool looks_before_locked(Oid database, std::int64_t time) noexcept {
  const DatabaseEntry* const entry = find_database_locked(database);
  return entry != nullptr && entry->scheduler != nullptr && entry->looks_at <= time;
}

void wake_waiting_locked() noexcept {
  Area* const shared = area();
  for (int i = 0; i < shared->max_databases; ++i) {
    DatabaseEntry& entry = shared->databases[i];
    if (entry.waiting > 0 && entry.scheduler != nullptr) wake_locked(entry);
  }
}

DatabaseStatus database_status(Oid database) {
  return locked(LW_SHARED, [=] {
    const DatabaseEntry* const entry = find_database_locked(database);
    if (entry == nullptr) return DatabaseStatus{false, false, 0, 0, kNever};
    return DatabaseStatus{true, entry->scheduler != nullptr, entry->waiting, entry->waiting_since,
                          entry->next_due};
  });
}

bool launcher_running() {
  return locked(LW_SHARED, [] { return area()->launcher != nullptr; });
}

void attach_launcher() noexcept { set_launcher(MyProc); }
void detach_launcher() noexcept { set_launcher(nullptr); }

int max_databases() noexcept { return area()->max_databases; }

bool attach_scheduler(Oid database) {
  return locked(LW_EXCLUSIVE, [=] {
    wake_launcher_locked();  // the launcher waits for this report before it starts others
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
    // The new scheduler reads all jobs now, so it needs no list of changed jobs. Requests to cancel
    // a group exist only here, so they remain.
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
    // A change that was posted meanwhile may come from a new CREATE EXTENSION.
    if (entry->changes.any) {
      entry->wanted = true;
      return false;
    }
    *entry = {};
    count_queues_locked();
    refuse_hand_overs_locked(database);
    free_dead_slots_locked(database);
    forget_skipped_jobs_locked(database);
    return true;
  });
}

std::uint64_t times_woken(Oid database) {
  return locked(LW_SHARED, [=] {
    const DatabaseEntry* const entry = find_database_locked(database);
    return entry == nullptr ? 0 : entry->wakes;
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
    // The launcher must now wake up for the next due time of this database.
    wake_launcher_locked();
    return true;
  });
}

}  // namespace metrics_refresh::shmem
