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
struct Kept {
  LWLock* lock;
  pg_atomic_uint32 count;   // the number of used entries
  FullTransactionId start;  // the next ID when the server started
  int size;
  PreparedNews entries[FLEXIBLE_ARRAY_MEMBER];
};
Kept* kept = nullptr;

PreparedNews* find(TransactionId transaction) noexcept {
  for (int i = 0; i < kept->size; ++i)
    if (kept->entries[i].transaction == transaction) return &kept->entries[i];
  return nullptr;
}

void release(PreparedNews& entry) noexcept {
  entry.transaction = InvalidTransactionId;
  pg_atomic_fetch_sub_u32(&kept->count, 1);
}

bool is_older_than_start(TransactionId transaction) noexcept {
  // The comparison of 32-bit IDs is correct, because a prepared transaction is never older than
  // half of all IDs.
  return FullTransactionIdIsValid(kept->start) &&
         TransactionIdPrecedes(transaction, XidFromFullTransactionId(kept->start));
}

bool keep(TransactionId transaction, Oid database, const TransactionNews& news) noexcept {
  LWLockAcquire(kept->lock, LW_EXCLUSIVE);
  bool is_kept = find(transaction) != nullptr;
  PreparedNews* const entry = is_kept ? nullptr : find(InvalidTransactionId);
  if (entry != nullptr) {
    *entry = {transaction, database, news};
    pg_atomic_fetch_add_u32(&kept->count, 1);
    is_kept = true;
  }
  LWLockRelease(kept->lock);
  return is_kept;
}

}  // namespace

bool keep_prepared_news(TransactionId transaction, Oid database,
                        const TransactionNews& news) noexcept {
  return keep(transaction, database, news);
}

bool keep_unknown_news(TransactionId transaction, Oid database) noexcept {
  if (!is_older_than_start(transaction)) return true;
  // Every scheduler then reads everything again.
  TransactionNews anything = {};
  anything.leftovers = anything.all = anything.all_databases = true;
  anything.roles = RoleNews::kRenamed;
  return keep(transaction, database, anything);
}

// A launcher that is started again keeps the first value.
void note_start() {
  if (!FullTransactionIdIsValid(kept->start)) kept->start = ReadNextFullTransactionId();
}

bool has_prepared_news() noexcept {
  return kept != nullptr && pg_atomic_read_u32(&kept->count) > 0;
}

bool take_prepared_news(PreparedNews* news) {
  bool found = false;
  LWLockAcquire(kept->lock, LW_EXCLUSIVE);
  for (int i = 0; i < kept->size && !found; ++i) {
    PreparedNews& entry = kept->entries[i];
    // A prepared transaction counts as in progress until COMMIT PREPARED or ROLLBACK PREPARED.
    if (!TransactionIdIsValid(entry.transaction) || TransactionIdIsInProgress(entry.transaction))
      continue;
    *news = entry;
    release(entry);
    found = true;
  }
  LWLockRelease(kept->lock);
  return found;
}

Size prepared_news_size() {
  return add_size(offsetof(Kept, entries),
                  mul_size(sizeof(PreparedNews), static_cast<Size>(max_prepared_xacts)));
}

void init_prepared_news(LWLock* lock) {
  bool found;
  kept = static_cast<Kept*>(ShmemInitStruct(kName, prepared_news_size(), &found));
  if (found) return;
  memset(kept, 0, prepared_news_size());
  kept->lock = lock;
  kept->size = max_prepared_xacts;
  pg_atomic_init_u32(&kept->count, 0);
}

}  // namespace metrics_refresh::shmem
