#include "shmem/change_counters.hpp"

#include <algorithm>

#include "pg/settings.hpp"
#include "pg/write_locks.hpp"

namespace metrics_refresh::shmem {
namespace {

// So long a table that nobody asks for keeps its place: else too many would push each other out.
constexpr TimestampTz kKeptFor = USECS_PER_HOUR;

ChangeCounters* counters = nullptr;
TrackedTable* tables = nullptr;  // counters->max_tables of them

// This process's copy of the tables of its database, by their numbers, so that a commit finds those
// that it changed without looking at the others. All of it is touched by the server's callbacks
// alone: plain data, plain C.
struct Watched {
  Oid relation;
  int place;
  bool is_counted;  // by the commit under way
};
Watched* watched = nullptr;
int watched_count = 0;
std::uint64_t watched_version = 0;
int* counted = nullptr;  // which of them the commit under way has counted
int counted_count = 0;

// Tables of which the transaction under way has noted whether it captures its changes. What a
// savepoint takes back stays noted: the changes are gone too, or counted once too often.
struct Noted {
  Oid relation;
  bool is_captured;
};
Noted* noted = nullptr;
int noted_count = 0;
int noted_capacity = 0;

Noted* find_noted(Oid relation) {
  for (int i = 0; i < noted_count; ++i)
    if (noted[i].relation == relation) return &noted[i];
  return nullptr;
}

bool is_captured(Oid relation) {
  const Noted* const found = find_noted(relation);
  return found != nullptr && found->is_captured && !IsLogicalWorker();
}

// Once noted as not captured, a table stays that.
void note(Oid relation, bool is_captured_now) {
  if (Noted* const found = find_noted(relation); found != nullptr) {
    found->is_captured = found->is_captured && is_captured_now;
    return;
  }
  if (noted_count == noted_capacity) {
    const int capacity = noted_capacity * 2 + 8;
    const Size size = sizeof(Noted) * static_cast<Size>(capacity);
    noted = static_cast<Noted*>(noted == nullptr ? MemoryContextAlloc(TopMemoryContext, size)
                                                 : repalloc(noted, size));
    noted_capacity = capacity;
  }
  noted[noted_count++] = {relation, is_captured_now};
}

void copy_watched() {
  if (watched == nullptr) {
    const auto most = static_cast<Size>(counters->max_tables);
    counted = static_cast<int*>(MemoryContextAllocHuge(TopMemoryContext, sizeof(int) * most));
    watched =
        static_cast<Watched*>(MemoryContextAllocHuge(TopMemoryContext, sizeof(Watched) * most));
  }
  LWLockAcquire(counters->lock, LW_SHARED);
  watched_version = pg_atomic_read_u64(&counters->version);
  watched_count = 0;
  for (int i = 0; i < counters->max_tables; ++i)
    if (tables[i].database == MyDatabaseId)
      watched[watched_count++] = {tables[i].relation, i, false};
  LWLockRelease(counters->lock);
  std::sort(watched, watched + watched_count,
            [](const Watched& a, const Watched& b) { return a.relation < b.relation; });
}

// The number first: who reads the count before the number sees one that is at least as great.
void count_uncaptured(TrackedTable& table) {
  const std::uint64_t own = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
  std::uint64_t last = pg_atomic_read_u64(&table.last_uncaptured);
  while (last < own && !pg_atomic_compare_exchange_u64(&table.last_uncaptured, &last, own)) {
  }
  pg_atomic_fetch_add_u64(&table.uncaptured, 1);
}

void count_one(void*, Oid relation) {
  Watched* const end = watched + watched_count;
  Watched* const table = std::lower_bound(watched, end, relation,
                                          [](const Watched& a, Oid b) { return a.relation < b; });
  if (table == end || table->relation != relation || table->is_counted ||
      !pg::has_write_lock(relation))
    return;
  table->is_counted = true;
  counted[counted_count++] = static_cast<int>(table - watched);
  TrackedTable& shared = tables[table->place];
  pg_atomic_fetch_add_u64(&shared.begun, 1);
  if (!is_captured(relation)) count_uncaptured(shared);
}

void count_begun() {
  Assert(counted_count == 0);
  if (!OidIsValid(MyDatabaseId) || !TransactionIdIsValid(GetTopTransactionIdIfAny())) return;
  if (pg_atomic_read_u64(&counters->version) != watched_version) copy_watched();
  if (watched_count > 0) pg::for_each_write_lock(count_one, nullptr);
}

void count_ended() {
  for (int i = 0; i < counted_count; ++i) {
    Watched& table = watched[counted[i]];
    table.is_counted = false;
    pg_atomic_fetch_add_u64(&tables[table.place].ended, 1);
  }
  counted_count = 0;
}

// At commit this is called when others can see the changes, and before the locks are released. A
// prepared transaction counts as ended, for this process forgets it; who reads the counts looks at
// the prepared transactions too.
void on_transaction(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      count_begun();
      break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_ABORT:
      noted_count = 0;
      count_ended();
      break;
    default:
      break;
  }
}

// The tables of this database that are tracked among `relations`, which are in order: calls
// `found(at, table)` for each, and returns how many.
template <typename Found>
int for_each_tracked(const Oid* relations, int number, Found found) {
  int count = 0;
  for (int i = 0; i < counters->max_tables && count < number; ++i) {
    if (tables[i].database != MyDatabaseId) continue;
    const Oid* const at = std::lower_bound(relations, relations + number, tables[i].relation);
    if (at == relations + number || *at != tables[i].relation) continue;
    found(static_cast<int>(at - relations), tables[i]);
    ++count;
  }
  return count;
}

// A place is free, or long not asked for. A process with an old copy may count on for a moment.
bool has_room(const TrackedTable& table, TimestampTz now) {
  return !OidIsValid(table.database) || table.asked_at < now - kKeptFor;
}

// How many more tables may be tracked for a role. REQUIRES: the lock is held.
int share_left(Oid role, int limit, TimestampTz now) {
  if (limit < 0) return counters->max_tables;
  int left = limit;
  for (int i = 0; i < counters->max_tables; ++i)
    if (tables[i].role == role && !has_room(tables[i], now)) --left;
  return left;
}

// Has what is not tracked yet tracked for a role, all of it or nothing: a view needs all its
// tables. Transactions that are yet to come see the new version before they commit, for they get
// their numbers after it was written.
Counting track(const Oid* relations, int number, TimestampTz now, Oid role, int limit,
               bool only_looks) {
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
      table.relation = relations[next++];
      table.role = role;
      table.asked_at = now;
      table.serial = ++counters->serials;
    }
    pg_atomic_fetch_add_u64(&counters->version, 1);
    const FullTransactionId since = ReadNextFullTransactionId();
    for (int i = 0; i < needed; ++i) tables[places[i]].since = since;
  }
  LWLockRelease(counters->lock);
  return result;
}

// False where one of them is not tracked.
bool read_counts(const Oid* relations, int number, TimestampTz now, bool only_looks,
                 ChangeCount* counts) {
  LWLockAcquire(counters->lock, LW_SHARED);
  const int found = for_each_tracked(relations, number, [&](int at, TrackedTable& table) {
    // Under a shared lock: whose time it becomes does not matter.
    if (!only_looks) table.asked_at = now;
    ChangeCount& count = counts[at];
    count.serial = table.serial;
    count.since = table.since;
    count.begun = pg_atomic_read_u64(&table.begun);
    count.ended = pg_atomic_read_u64(&table.ended);
    count.uncaptured = pg_atomic_read_u64(&table.uncaptured);
    pg_read_barrier();
    count.last_uncaptured = FullTransactionIdFromU64(pg_atomic_read_u64(&table.last_uncaptured));
  });
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
  pg_atomic_init_u64(&counters->version, 1);  // what a new process has is not this
  for (int i = 0; i < counters->max_tables; ++i) {
    pg_atomic_init_u64(&tables[i].begun, 0);
    pg_atomic_init_u64(&tables[i].ended, 0);
    pg_atomic_init_u64(&tables[i].uncaptured, 0);
    pg_atomic_init_u64(&tables[i].last_uncaptured, 0);
  }
}

void watch_changes() {
  pg::call([] { RegisterXactCallback(on_transaction, nullptr); });
}

Counting count_changes(const Oid* relations, int number, Oid role, bool only_looks,
                       ChangeCount* counts) {
  // What is counted in recovery would seem to have been counted since then, promoted or not.
  if (counters == nullptr || RecoveryInProgress()) return Counting::kNotHere;
  const TimestampTz now = GetCurrentTimestamp();
  if (read_counts(relations, number, now, only_looks, counts)) return Counting::kCounted;
  const int limit = superuser_arg(role) ? -1 : settings::max_tracked_tables_per_role();
  const Counting begun = track(relations, number, now, role, limit, only_looks);
  if (begun != Counting::kCounted) return begun;
  return read_counts(relations, number, now, only_looks, counts) ? Counting::kCounted
                                                                 : Counting::kNoRoom;
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

void note_captured(Oid relation) { note(relation, true); }

void note_uncaptured(Oid relation) {
  LockRelationOid(relation, RowExclusiveLock);
  note(relation, false);
}

const std::uint64_t* change_epoch() { return counters->epoch; }

}  // namespace metrics_refresh::shmem
