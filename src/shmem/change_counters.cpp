// Registers tracked tables, and reads their counts.
//
// A fixed array in shared memory has one place for each tracked table. Its lock protects the
// assignment of places. The counts are atomics, because a commit adds to them without the lock.
// Each change of the set of tables increments `version`. A process compares the version with that
// of its own copy (watched_tables.hpp), and copies the set again if they differ.
#include "shmem/change_counters.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "pg/access_method.hpp"
#include "shmem/watched_tables.hpp"

namespace metrics_refresh::shmem {
namespace {

// A table keeps its place for this time after the last request for its counts. With a shorter time,
// too many tables would evict each other in turn.
constexpr TimestampTz kForgottenAfter = USECS_PER_HOUR;

ChangeCounters* counters = nullptr;
TrackedTable* tables = nullptr;  // an array of counters->max_tables

// Calls `found(at, table)` for each of the `relations` that is a tracked table of this database.
// Returns their number. REQUIRES: the lock is held; make_room_for_watched() was called before.
template <typename Found>
int for_each_tracked(const Oid* relations, int number, Found found) {
  if (!is_watched_current()) copy_watched_locked();
  int count = 0;
  for (int i = 0; i < number; ++i) {
    const Watched* const known = find_watched(relations[i]);
    if (known == nullptr) continue;
    found(i, tables[known->place]);
    ++count;
  }
  return count;
}

// True if the place is free or its counts were not requested for a long time. A process with an old
// copy may still add to the counts of the previous table. Such an addition does no harm.
bool has_room(const TrackedTable& table, TimestampTz now) {
  return !OidIsValid(table.database) || table.asked_at < now - kForgottenAfter;
}

// The number of further tables that may be tracked for a role. REQUIRES: the lock is held.
int share_left(Oid role, int limit, TimestampTz now) {
  if (limit < 0) return counters->max_tables;
  int left = limit;
  for (int i = 0; i < counters->max_tables; ++i)
    if (tables[i].role == role && !has_room(tables[i], now)) --left;
  return left;
}

// Registers the tables that are not tracked yet, for a role. It registers all of them or none,
// because a view needs the counts of all its tables.
Counting track(const Oid* relations, int number, const bool* are_silent, TimestampTz now, Oid role,
               int limit, bool only_looks) {
  auto* const is_tracked = static_cast<bool*>(palloc0(static_cast<Size>(number)));
  auto* const places = static_cast<int*>(palloc(sizeof(int) * static_cast<Size>(number)));
  LWLockAcquire(counters->lock, LW_EXCLUSIVE);
  const int needed = number - for_each_tracked(relations, number, [&](int at, TrackedTable& table) {
                       is_tracked[at] = true;
                       if (!only_looks) table.asked_at = now;
                     });
  int found = 0;
  for (int i = 0; i < counters->max_tables && found < needed; ++i) {
    const bool is_own = tables[i].database == MyDatabaseId &&
                        std::binary_search(relations, relations + number, tables[i].relation);
    if (!is_own && has_room(tables[i], now)) places[found++] = i;
  }
  Counting result = Counting::kCounted;
  if (found < needed)
    result = Counting::kNoRoom;
  else if (needed > share_left(role, limit, now))
    result = Counting::kNoShare;
  else if (only_looks && needed > 0)
    result = Counting::kNotYet;
  if (result == Counting::kCounted && needed > 0) {
    int next = 0;
    for (int i = 0; i < needed; ++i) {
      while (is_tracked[next]) ++next;
      TrackedTable& table = tables[places[i]];
      table.database = MyDatabaseId;
      table.is_silent = are_silent[next];
      table.relation = relations[next++];
      table.role = role;
      table.asked_at = now;
      table.serial = ++counters->serials;
      pg_atomic_write_u32(&table.skips, 0);
    }
    // The version must change before the next transaction ID is read. Transactions that get an ID
    // from here on then see the new version when they commit. Earlier ones may go uncounted.
    pg_atomic_fetch_add_u64(&counters->version, 1);
    const FullTransactionId since = ReadNextFullTransactionId();
    for (int i = 0; i < needed; ++i) tables[places[i]].since = since;
  }
  LWLockRelease(counters->lock);
  return result;
}

// Returns false if one of the tables is not tracked.
bool read_counts(const Oid* relations, int number, const bool* are_silent, TimestampTz now,
                 bool only_looks, ChangeCount* counts) {
  bool has_changed = false;
  LWLockAcquire(counters->lock, LW_SHARED);
  const int found = for_each_tracked(relations, number, [&](int at, TrackedTable& table) {
    // Several processes may write this under the shared lock. Any of their times will do.
    if (!only_looks) table.asked_at = now;
    has_changed = has_changed || table.is_silent != are_silent[at];
    table.is_silent = are_silent[at];
    ChangeCount& count = counts[at];
    count.serial = table.serial;
    count.since = table.since;
    count.begun = pg_atomic_read_u64(&table.begun);
    count.ended = pg_atomic_read_u64(&table.ended);
    count.uncaptured = pg_atomic_read_u64(&table.uncaptured);
    // count_uncaptured() writes these two fields in the opposite order.
    pg_read_barrier();
    count.last_uncaptured = FullTransactionIdFromU64(pg_atomic_read_u64(&table.last_uncaptured));
  });
  if (has_changed) pg_atomic_fetch_add_u64(&counters->version, 1);
  LWLockRelease(counters->lock);
  return found == number;
}

}  // namespace

Size change_counters_size() {
  return add_size(
      MAXALIGN(sizeof(ChangeCounters)),
      mul_size(sizeof(TrackedTable), static_cast<Size>(settings::max_tracked_tables())));
}

void init_change_counters(char* memory, LWLock* lock, bool found) {
  counters = reinterpret_cast<ChangeCounters*>(memory);
  tables = reinterpret_cast<TrackedTable*>(memory + MAXALIGN(sizeof(ChangeCounters)));
  if (found) return;
  counters->lock = lock;
  counters->max_tables = settings::max_tracked_tables();
  if (!pg_strong_random(counters->epoch, sizeof counters->epoch))
    ereport(FATAL, errmsg("metrics_refresh: the system has no random numbers"));
  pg_atomic_init_u64(&counters->version, 1);  // the copy of a new process has version 0
  for (int i = 0; i < counters->max_tables; ++i) {
    pg_atomic_init_u64(&tables[i].begun, 0);
    pg_atomic_init_u64(&tables[i].ended, 0);
    pg_atomic_init_u64(&tables[i].uncaptured, 0);
    pg_atomic_init_u64(&tables[i].last_uncaptured, 0);
    pg_atomic_init_u32(&tables[i].skips, 0);
  }
}

Counting count_changes(const Oid* relations, int number, Oid role, bool only_looks,
                       ChangeCount* counts) {
  // Replay of WAL does not count changes. A registration during recovery would claim that the
  // changes since then were counted, even after a promotion.
  if (counters == nullptr || RecoveryInProgress()) return Counting::kNotHere;
  make_room_for_watched();
  const TimestampTz now = GetCurrentTimestamp();
  auto* const are_silent = static_cast<bool*>(palloc0(static_cast<Size>(number)));
  for (int i = 0; i < number; ++i) are_silent[i] = pg::may_change_silently(relations[i]);
  if (read_counts(relations, number, are_silent, now, only_looks, counts))
    return Counting::kCounted;
  // Reading comes first, because it needs only a shared lock and is the usual case.
  const int limit = superuser_arg(role) ? -1 : settings::max_tracked_tables_per_role();
  const Counting begun = track(relations, number, are_silent, now, role, limit, only_looks);
  if (begun != Counting::kCounted) return begun;
  return read_counts(relations, number, are_silent, now, only_looks, counts) ? Counting::kCounted
                                                                             : Counting::kNoRoom;
}

void forget_counts(Oid database) noexcept {
  LWLockAcquire(counters->lock, LW_EXCLUSIVE);
  for (int i = 0; i < counters->max_tables; ++i)
    if (tables[i].database == database) tables[i].database = InvalidOid;
  pg_atomic_fetch_add_u64(&counters->version, 1);
  LWLockRelease(counters->lock);
}

int roles_of_tracked(Oid* roles) {
  if (counters == nullptr) return 0;
  int number = 0;
  const TimestampTz now = GetCurrentTimestamp();
  LWLockAcquire(counters->lock, LW_SHARED);
  for (int i = 0; i < counters->max_tables; ++i)
    if (!has_room(tables[i], now)) roles[number++] = tables[i].role;
  LWLockRelease(counters->lock);
  return number;
}

namespace {

template <typename Use>
void with_tracked(Oid relation, Use use) {
  if (counters == nullptr) return;
  make_room_for_watched();
  LWLockAcquire(counters->lock, LW_SHARED);
  (void)for_each_tracked(&relation, 1, [&use](int, TrackedTable& table) { use(table.skips); });
  LWLockRelease(counters->lock);
}

}  // namespace

std::uint32_t skips_of(Oid view) {
  std::uint32_t skips = 0;
  with_tracked(view, [&skips](pg_atomic_uint32& count) { skips = pg_atomic_read_u32(&count); });
  return skips;
}

void count_skip(Oid view) {
  with_tracked(view, [](pg_atomic_uint32& count) { pg_atomic_fetch_add_u32(&count, 1); });
}

void forget_skips(Oid view) {
  with_tracked(view, [](pg_atomic_uint32& count) { pg_atomic_write_u32(&count, 0); });
}

const std::uint64_t* change_epoch() { return counters->epoch; }

ChangeCounters* change_counters() noexcept { return counters; }

TrackedTable* tracked_tables() noexcept { return tables; }

}  // namespace metrics_refresh::shmem
