// The news that prepared transactions have for the processes of the extension. Another session may
// commit such a transaction, even after a restart. Therefore the news is stored here by transaction
// ID, from PREPARE TRANSACTION on. If the transaction was prepared before the server started, its
// news is unknown, and all kinds of news are assumed. COMMIT PREPARED costs nothing if no news is
// stored.
#pragma once

#include <cstdint>

#include "shmem/databases.hpp"

namespace metrics_refresh::shmem {

inline constexpr int kMaxNotedDatabases = 16;

struct NotedDatabase {
  Oid oid;
  bool dropped;
};

/// The news to post when a transaction has ended. Plain data.
struct TransactionNews {
  bool leftovers;
  bool all;
  bool job_types;
  RoleNews roles;
  int count;
  std::int64_t jobs[kMaxPostedJobs];
  bool all_databases;
  int database_count;
  NotedDatabase databases[kMaxNotedDatabases];
};

struct PreparedNews {
  TransactionId transaction;  // InvalidTransactionId if the entry is free
  Oid database;
  TransactionNews news;
};

/// Stores the news of a transaction that is being prepared. Returns false if all entries are in
/// use. Then at least one of their transactions has ended, and take_prepared_news() frees its
/// entry. Never raises. REQUIRES: the area exists.
bool store_prepared_news(TransactionId transaction, Oid database,
                         const TransactionNews& news) noexcept;

/// Stores all kinds of news for a prepared transaction, if it is older than this start of the
/// server. Otherwise like store_prepared_news().
bool store_unknown_news(TransactionId transaction, Oid database) noexcept;

/// Stores the next transaction ID, which separates older transactions from those of this start of
/// the server. REQUIRES: inside pg::call(), in the launcher, before any scheduler starts.
void record_server_start();

/// True if news of prepared transactions is stored.
bool has_prepared_news() noexcept;

/// Removes and returns the news of one transaction that has committed or was rolled back. Returns
/// false if there is none. REQUIRES: inside pg::call(), or in a callback that may raise.
bool take_prepared_news(PreparedNews* news);

// For shmem.cpp.

Size prepared_news_size();
void init_prepared_news(LWLock* lock);

}  // namespace metrics_refresh::shmem
