// Stores the news of prepared transactions in an array with a lock of its own.
//
// The news of a rolled back transaction is posted as well, because the outcome is not stored. This
// only wakes a scheduler without need. An entry may stay after the end of its transaction, until a
// process takes it.
#include "shmem/prepared_news.hpp"

namespace metrics_refresh::shmem {
namespace {

constexpr char kName[] = "metrics_refresh prepared transactions";

// One entry for each transaction that can be prepared at the same time. Entries of transactions
// that have ended may have to be taken before there is a free one.
struct NewsTable {
  LWLock* lock;
  pg_atomic_uint32 count;   // the number of used entries
  FullTransactionId start;  // the next ID when the server started
  int size;
  PreparedNews entries[FLEXIBLE_ARRAY_MEMBER];
};
NewsTable* table = nullptr;

PreparedNews* find(TransactionId transaction) noexcept {
  for (int i = 0; i < table->size; ++i)
    if (table->entries[i].transaction == transaction) return &table->entries[i];
  return nullptr;
}

void release(PreparedNews& entry) noexcept {
  entry.transaction = InvalidTransactionId;
  pg_atomic_fetch_sub_u32(&table->count, 1);
}

bool is_older_than_start(TransactionId transaction) noexcept {
  // The comparison of 32-bit IDs is correct, because a prepared transaction is never older than
  // half of all IDs.
  return FullTransactionIdIsValid(table->start) &&
         TransactionIdPrecedes(transaction, XidFromFullTransactionId(table->start));
}

bool put(TransactionId transaction, Oid database, const TransactionNews& news) noexcept {
  LWLockAcquire(table->lock, LW_EXCLUSIVE);
  bool is_stored = find(transaction) != nullptr;
  PreparedNews* const entry = is_stored ? nullptr : find(InvalidTransactionId);
  if (entry != nullptr) {
    *entry = {transaction, database, news};
    pg_atomic_fetch_add_u32(&table->count, 1);
    is_stored = true;
  }
  LWLockRelease(table->lock);
  return is_stored;
}

}  // namespace

bool store_prepared_news(TransactionId transaction, Oid database,
                         const TransactionNews& news) noexcept {
  return put(transaction, database, news);
}

bool store_unknown_news(TransactionId transaction, Oid database) noexcept {
  if (!is_older_than_start(transaction)) return true;
  // Every scheduler then reads everything again.
  TransactionNews anything = {};
  anything.leftovers = anything.all = anything.all_databases = anything.job_types = true;
  anything.roles = RoleNews::kRenamed;
  return put(transaction, database, anything);
}

// A launcher that is started again keeps the first value.
void record_server_start() {
  if (!FullTransactionIdIsValid(table->start)) table->start = ReadNextFullTransactionId();
}

bool has_prepared_news() noexcept {
  return table != nullptr && pg_atomic_read_u32(&table->count) > 0;
}

bool take_prepared_news(PreparedNews* news) {
  bool found = false;
  LWLockAcquire(table->lock, LW_EXCLUSIVE);
  for (int i = 0; i < table->size && !found; ++i) {
    PreparedNews& entry = table->entries[i];
    // A prepared transaction counts as in progress until COMMIT PREPARED or ROLLBACK PREPARED.
    if (!TransactionIdIsValid(entry.transaction) || TransactionIdIsInProgress(entry.transaction))
      continue;
    *news = entry;
    release(entry);
    found = true;
  }
  LWLockRelease(table->lock);
  return found;
}

Size prepared_news_size() {
  return add_size(offsetof(NewsTable, entries),
                  mul_size(sizeof(PreparedNews), static_cast<Size>(max_prepared_xacts)));
}

void init_prepared_news(LWLock* lock) {
  bool found;
  table = static_cast<NewsTable*>(ShmemInitStruct(kName, prepared_news_size(), &found));
  if (found) return;
  memset(table, 0, prepared_news_size());
  table->lock = lock;
  table->size = max_prepared_xacts;
  pg_atomic_init_u32(&table->count, 0);
}

}  // namespace metrics_refresh::shmem
