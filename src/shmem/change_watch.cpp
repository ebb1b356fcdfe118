#include "shmem/change_watch.hpp"

#include <algorithm>

#include "pg/write_locks.hpp"
#include "shmem/change_counters.hpp"

namespace metrics_refresh::shmem {
namespace {

// This process's copy of the tables of its database, by their numbers, so that a commit finds those
// that it changed without looking at the others. All of it is touched by the server's callbacks
// alone: plain data, plain C.
struct Watched {
  Oid relation;
  int place;
  bool is_silent;
  bool is_counted;  // by the commit under way
};
Watched* watched = nullptr;
int watched_count = 0;
bool watches_silent = false;  // one of them is
std::uint64_t watched_version = 0;
int* counted = nullptr;  // which of them the commit under way has counted
int counted_count = 0;

// WAL records that this process had written when its last transaction ended, or its last
// subtransaction began or ended.
decltype(pgWalUsage.wal_records) wal_at_last_end = 0;
decltype(pgWalUsage.wal_records) wal_at_last_sub = 0;

// Tables of which the transaction under way has noted whether it captures its changes. What a
// savepoint takes back stays noted: the changes are gone too, or counted once too often.
struct Noted {
  Oid relation;
  bool is_captured;
};
Noted* noted = nullptr;
int noted_count = 0;
int noted_capacity = 0;

// The transaction under way may have changed any table, unseen.
bool is_any_noted = false;

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

void make_room() {
  if (watched != nullptr) return;
  const auto most = static_cast<Size>(change_counters()->max_tables);
  counted = static_cast<int*>(MemoryContextAllocHuge(TopMemoryContext, sizeof(int) * most));
  watched = static_cast<Watched*>(MemoryContextAllocHuge(TopMemoryContext, sizeof(Watched) * most));
}

void copy_watched() {
  LWLockAcquire(change_counters()->lock, LW_SHARED);
  watched_version = pg_atomic_read_u64(&change_counters()->version);
  watched_count = 0;
  watches_silent = false;
  for (int i = 0; i < change_counters()->max_tables; ++i) {
    if (tracked_tables()[i].database != MyDatabaseId) continue;
    watched[watched_count++] = {tracked_tables()[i].relation, i, tracked_tables()[i].is_silent,
                                false};
    watches_silent = watches_silent || tracked_tables()[i].is_silent;
  }
  LWLockRelease(change_counters()->lock);
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

// What the transaction, or the part of it that ends, has left of what it did.
struct Traces {
  bool has_number;
  bool has_wal;
};

void count_table(Watched& table, bool is_captured_now) {
  if (table.is_counted) return;
  table.is_counted = true;
  counted[counted_count++] = static_cast<int>(&table - watched);
  TrackedTable& shared = tracked_tables()[table.place];
  pg_atomic_fetch_add_u64(&shared.begun, 1);
  if (!is_captured_now) count_uncaptured(shared);
}

void count_locked(void* context, Oid relation) {
  const auto* const traces = static_cast<const Traces*>(context);
  Watched* const end = watched + watched_count;
  Watched* const table = std::lower_bound(watched, end, relation,
                                          [](const Watched& a, Oid b) { return a.relation < b; });
  if (table == end || table->relation != relation ||
      !(traces->has_number || traces->has_wal || table->is_silent) || !pg::has_write_lock(relation))
    return;
  // To capture something takes a number.
  count_table(*table, traces->has_number && is_captured(relation));
}

void count_begun(Traces traces) {
  Assert(counted_count == 0);
  if (!OidIsValid(MyDatabaseId)) return;
  if (pg_atomic_read_u64(&change_counters()->version) != watched_version) {
    make_room();
    copy_watched();
  }
  if (is_any_noted)
    for (int i = 0; i < watched_count; ++i) count_table(watched[i], false);
  else if (watched_count > 0 && (traces.has_number || traces.has_wal || watches_silent))
    pg::for_each_write_lock(count_locked, &traces);
}

Traces traces_of_transaction() {
  return {TransactionIdIsValid(GetTopTransactionIdIfAny()),
          pgWalUsage.wal_records != wal_at_last_end};
}

void count_ended() {
  for (int i = 0; i < counted_count; ++i) {
    Watched& table = watched[counted[i]];
    table.is_counted = false;
    pg_atomic_fetch_add_u64(&tracked_tables()[table.place].ended, 1);
  }
  counted_count = 0;
}

// Rows that were removed without a number are gone whatever becomes of the transaction.
void count_rolled_back(Traces traces) {
  // An abort must not fail; a process that has no room for its copy yet has hardly changed a table.
  if (counted_count > 0 || watched == nullptr || (traces.has_number && !is_any_noted)) return;
  count_begun(traces);
  count_ended();
}

// At commit this is called when others can see the changes, and before the locks are released. A
// prepared transaction counts as ended, for this process forgets it; who reads the counts looks at
// the prepared transactions too.
void on_transaction(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      count_begun(traces_of_transaction());
      break;
    case XACT_EVENT_ABORT:
      if (counted_count == 0) count_rolled_back(traces_of_transaction());
      [[fallthrough]];
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
      noted_count = 0;
      is_any_noted = false;
      count_ended();
      wal_at_last_end = pgWalUsage.wal_records;
      break;
    default:
      break;
  }
}

void on_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (event == SUBXACT_EVENT_ABORT_SUB)
    count_rolled_back({TransactionIdIsValid(GetCurrentTransactionIdIfAny()),
                       pgWalUsage.wal_records != wal_at_last_sub});
  wal_at_last_sub = pgWalUsage.wal_records;
}

}  // namespace

void watch_changes() {
  pg::call([] {
    RegisterXactCallback(on_transaction, nullptr);
    RegisterSubXactCallback(on_subtransaction, nullptr);
  });
}

void note_captured(Oid relation) { note(relation, true); }

void note_uncaptured(Oid relation) {
  LockRelationOid(relation, RowExclusiveLock);
  note(relation, false);
}

void note_any_changed() noexcept { is_any_noted = true; }

}  // namespace metrics_refresh::shmem
