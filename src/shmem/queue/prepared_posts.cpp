// An array with a lock of its own, as in shmem/prepared_news.cpp.
#include "shmem/queue/prepared_posts.hpp"

#include <algorithm>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

constexpr char kName[] = "metrics_refresh prepared jobs";

struct Entry {
  TransactionId transaction;  // InvalidTransactionId if the entry is free
  Oid database;
  std::uint32_t job_count, type_count, batch_count, promise_count;
  Jobs jobs[kMostPrepared];
  TypeChange types[kMostPrepared];
  BatchCount batches[kMostPrepared];
  Promise promises[kMostPrepared];
  PostFlags flags;
};

struct EntryTable {
  LWLock* lock;
  pg_atomic_uint32 count;  // the number of used entries
  int size;
  Entry entries[FLEXIBLE_ARRAY_MEMBER];
};
EntryTable* table = nullptr;

Entry* find(TransactionId transaction) noexcept {
  for (int i = 0; i < table->size; ++i)
    if (table->entries[i].transaction == transaction) return &table->entries[i];
  return nullptr;
}

template <typename T>
std::uint32_t copy_some(T* to, const T* from, std::uint32_t count) noexcept {
  const std::uint32_t copied = std::min(count, kMostPrepared);
  std::copy(from, from + copied, to);
  return copied;
}

// Jobs that do not fit are found by a reread of their segments, and numbers by a recount.
void fill(Entry& entry, const Posts& posts) noexcept {
  entry.job_count = copy_some(entry.jobs, posts.jobs, posts.job_count);
  entry.type_count = copy_some(entry.types, posts.types, posts.type_count);
  entry.batch_count = copy_some(entry.batches, posts.batches, posts.batch_count);
  entry.promise_count = copy_some(entry.promises, posts.promises, posts.promise_count);
  entry.flags = posts;
  if (entry.type_count < posts.type_count || entry.batch_count < posts.batch_count)
    entry.flags.counts_are_unknown = true;
  std::uint8_t& rereads = entry.flags.rereads;
  for (std::uint32_t i = entry.job_count; i < posts.job_count; ++i)
    rereads = static_cast<std::uint8_t>(rereads | 1U << posts.jobs[i].segment);
}

void post_entry(const Entry& entry, FullTransactionId near) noexcept {
  Posts posts;
  static_cast<PostFlags&>(posts) = entry.flags;
  posts.transaction = widened(entry.transaction, near);
  posts.jobs = entry.jobs;
  posts.job_count = entry.job_count;
  posts.types = entry.types;
  posts.type_count = entry.type_count;
  posts.batches = entry.batches;
  posts.batch_count = entry.batch_count;
  posts.promises = entry.promises;
  posts.promise_count = entry.promise_count;
  post(posts);
}

bool put(TransactionId transaction, const Posts& posts) noexcept {
  LWLockAcquire(table->lock, LW_EXCLUSIVE);
  bool is_stored = find(transaction) != nullptr;
  Entry* const entry = is_stored ? nullptr : find(InvalidTransactionId);
  if (entry != nullptr) {
    fill(*entry, posts);
    entry->database = MyDatabaseId;
    entry->transaction = transaction;
    pg_atomic_fetch_add_u32(&table->count, 1);
    is_stored = true;
  }
  LWLockRelease(table->lock);
  // The scheduler looks at it until the transaction has ended.
  locked_with_wakes(
      [](Content& content, Wakes& wakes) { tell(&SchedulerNews::prepared, content, wakes); });
  return is_stored;
}

// The transaction of this database in the entry, if it has one.
TransactionId transaction_at(int index) noexcept {
  LWLockAcquire(table->lock, LW_SHARED);
  const Entry& entry = table->entries[index];
  const TransactionId transaction =
      entry.database == MyDatabaseId ? entry.transaction : InvalidTransactionId;
  LWLockRelease(table->lock);
  return transaction;
}

// Returns false if another process has taken it.
bool take(int index, TransactionId transaction, Entry& taken) noexcept {
  LWLockAcquire(table->lock, LW_EXCLUSIVE);
  Entry& entry = table->entries[index];
  const bool is_there = entry.transaction == transaction;
  if (is_there) {
    taken = entry;
    entry.transaction = InvalidTransactionId;
    pg_atomic_fetch_sub_u32(&table->count, 1);
  }
  LWLockRelease(table->lock);
  return is_there;
}

}  // namespace

// Promises that do not fit end here, although the jobs do not count yet.
bool store_prepared(TransactionId transaction, const Posts& posts) noexcept {
  if (!put(transaction, posts)) return false;
  if (posts.promise_count > kMostPrepared)
    end_promises(posts.promises + kMostPrepared, posts.promise_count - kMostPrepared);
  return true;
}

bool store_unknown_prepared(TransactionId transaction, std::uint8_t segments) noexcept {
  Posts posts;
  posts.rereads = segments;
  posts.counts_are_unknown = posts.has_dependencies = posts.has_batches = true;
  posts.types_changed = true;
  posts.later_due = PG_INT64_MIN;
  return put(transaction, posts);
}

bool has_prepared_posts() noexcept {
  if (table == nullptr || pg_atomic_read_u32(&table->count) == 0) return false;
  for (int i = 0; i < table->size; ++i)
    if (TransactionIdIsValid(transaction_at(i))) return true;
  return false;
}

// If the database has no place, nothing has to be posted: the scheduler will read all tables.
void post_prepared() {
  if (table == nullptr || pg_atomic_read_u32(&table->count) == 0) return;
  // This session may not have used the queue itself.
  (void)find_queue_inside();
  const FullTransactionId near = ReadNextFullTransactionId();
  for (int i = 0; i < table->size; ++i) {
    const TransactionId transaction = transaction_at(i);
    if (!TransactionIdIsValid(transaction) || TransactionIdIsInProgress(transaction)) continue;
    const bool has_committed = TransactionIdDidCommit(transaction);
    Entry taken;
    if (!take(i, transaction, taken)) continue;
    has_committed ? post_entry(taken, near) : end_promises(taken.promises, taken.promise_count);
  }
}

Size prepared_posts_size() {
  return add_size(offsetof(EntryTable, entries),
                  mul_size(sizeof(Entry), static_cast<Size>(max_prepared_xacts)));
}

void init_prepared_posts(LWLock* lock) {
  bool found;
  table = static_cast<EntryTable*>(ShmemInitStruct(kName, prepared_posts_size(), &found));
  if (found) return;
  memset(static_cast<void*>(table), 0, prepared_posts_size());
  table->lock = lock;
  table->size = max_prepared_xacts;
  pg_atomic_init_u32(&table->count, 0);
}

}  // namespace metrics_refresh::shmem::queue
