// Counts the changes of a transaction when it commits, and some changes when it is rolled back.
//
// Before a commit, count_begun() looks through the locks of the transaction and adds 1 to `begun`
// of each tracked table that it may have changed. After the commit, count_ended() adds 1 to `ended`
// of the same tables. A reader that sees both counts equal knows that no counted commit is under
// way. Example: begun = 7 and ended = 6 mean that one commit is not visible yet.
//
// The callbacks of the server run this code outside pg::call(), so it uses plain data only. Memory
// is allocated before the commit, because the code after the commit must not fail.
#include "shmem/change_watch.hpp"

#include <algorithm>

#include "pg/row_counts.hpp"
#include "pg/write_locks.hpp"
#include "shmem/change_counters.hpp"
#include "shmem/watched_tables.hpp"

namespace metrics_refresh::shmem {
namespace {

int* counted = nullptr;  // indexes of the watched tables that the current commit has counted
int counted_count = 0;

// The number of WAL records that this process had written when each part of the current transaction
// began. The index is the nest level; 1 is the transaction itself. Deeper subtransactions use the
// last element. They may then count too much, but never too little.
constexpr int kMostLevels = 64;
decltype(pgWalUsage.wal_records) wal_at_begin[kMostLevels + 1] = {};

// Tables for which the current transaction has noted whether its changes are captured. Notes remain
// if a savepoint is rolled back. Then the changes are gone too, or are counted once too often.
struct Noted {
  Oid relation;
  bool is_captured;
};
Noted* noted = nullptr;
int noted_count = 0;
int noted_capacity = 0;

// True if the current transaction may have changed any table without keeping a lock on it.
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

// If a table is once noted as not captured, it stays so until the end of the transaction.
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
  if (counted != nullptr) return;
  make_room_for_watched();
  const auto most = static_cast<Size>(change_counters()->max_tables);
  counted = static_cast<int*>(MemoryContextAllocHuge(TopMemoryContext, sizeof(int) * (most + 1)));
}

void copy_watched() {
  LWLockAcquire(change_counters()->lock, LW_SHARED);
  copy_watched_locked();
  LWLockRelease(change_counters()->lock);
}

// The ID is written before the count. A reader that reads the count first thus sees an ID that is
// at least as great as that of each transaction in the count.
void count_uncaptured(TrackedTable& table) {
  const std::uint64_t own = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
  std::uint64_t last = pg_atomic_read_u64(&table.last_uncaptured);
  while (last < own && !pg_atomic_compare_exchange_u64(&table.last_uncaptured, &last, own)) {
  }
  pg_atomic_fetch_add_u64(&table.uncaptured, 1);
}

// The traces of work that the ending transaction or subtransaction has left.
struct Traces {
  bool has_number;  // it has a transaction ID
  bool has_wal;
  int rolled_back_level;  // the nest level of the part that is rolled back; 0 if it commits
};

// An ID without WAL counts only at commit, because a rollback leaves nothing of such work.
bool has_written(const Traces& traces) {
  return traces.has_wal || (traces.has_number && traces.rolled_back_level == 0);
}

void count_table(Watched& table, bool is_captured_now) {
  if (table.is_counted) return;
  table.is_counted = true;
  counted[counted_count++] = static_cast<int>(&table - watched_tables().tables);
  TrackedTable& shared = tracked_tables()[table.place];
  pg_atomic_fetch_add_u64(&shared.begun, 1);
  if (!is_captured_now) count_uncaptured(shared);
}

void count_locked(void* context, Oid relation) {
  const auto* const traces = static_cast<const Traces*>(context);
  Watched* const table = find_watched(relation);
  if (table == nullptr || !(has_written(*traces) || table->is_silent) ||
      !pg::has_write_lock(relation))
    return;
  // After a rollback the rows that statements have changed are as before. These changes explain the
  // ID and the WAL, so there is no sign of another change.
  const int level = traces->rolled_back_level;
  if (level > 0 && traces->has_number && pg::has_changed_rows(relation, level)) return;
  // Without an ID or a commit, the captured keys are not in the delta table.
  count_table(*table, level == 0 && traces->has_number && is_captured(relation));
}

void count_begun(Traces traces) {
  Assert(counted_count == 0);
  if (!OidIsValid(MyDatabaseId)) return;
  make_room();
  if (!is_watched_current()) copy_watched();
  const WatchedTables& watched = watched_tables();
  if (is_any_noted)
    for (int i = 0; i < watched.count; ++i) count_table(watched.tables[i], false);
  else if (watched.count > 0 && (has_written(traces) || watched.has_silent))
    pg::for_each_write_lock(count_locked, &traces);
}

bool has_wal_since_begin(int level) {
  return pgWalUsage.wal_records != wal_at_begin[std::min(level, kMostLevels)];
}

void record_wal_at_begin(int level) {
  if (level <= kMostLevels) wal_at_begin[level] = pgWalUsage.wal_records;
}

constexpr int kTransaction = 1;  // the nest level of the top transaction

Traces traces_of_transaction() {
  return {TransactionIdIsValid(GetTopTransactionIdIfAny()), has_wal_since_begin(kTransaction), 0};
}

void count_ended() {
  for (int i = 0; i < counted_count; ++i) {
    Watched& table = watched_tables().tables[counted[i]];
    table.is_counted = false;
    pg_atomic_fetch_add_u64(&tracked_tables()[table.place].ended, 1);
  }
  counted_count = 0;
}

// Some tools remove rows without a transaction ID, and a rollback does not restore these rows. The
// transaction may still have an ID for other work. If statements have changed rows of the same
// table as well, the two kinds cannot be distinguished, and the rollback is not counted.
void count_rolled_back(int level, bool has_number) {
  // An abort must not fail, so it must not allocate memory. A process without memory for its copy
  // has never committed, and it is unlikely that it has changed a table.
  if (counted_count > 0 || counted == nullptr) return;
  count_begun({has_number, has_wal_since_begin(level), level});
  count_ended();
}

// XACT_EVENT_COMMIT comes when other sessions can see the changes, and before the locks are
// released. A prepared transaction counts as ended, because this process forgets it. Readers of the
// counts therefore check the prepared transactions as well.
void on_transaction(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      count_begun(traces_of_transaction());
      break;
    case XACT_EVENT_ABORT:
      count_rolled_back(kTransaction, TransactionIdIsValid(GetTopTransactionIdIfAny()));
      [[fallthrough]];
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
      noted_count = 0;
      is_any_noted = false;
      count_ended();
      record_wal_at_begin(kTransaction);
      break;
    default:
      break;
  }
}

void on_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  const int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_START_SUB) record_wal_at_begin(level);
  if (event == SUBXACT_EVENT_ABORT_SUB)
    count_rolled_back(level, TransactionIdIsValid(GetCurrentTransactionIdIfAny()));
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
