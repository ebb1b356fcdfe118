// What prepared transactions have changed that our processes must be told: whoever commits them may
// be another session, and come after a restart. Kept from PREPARE TRANSACTION on, by the
// transaction's number; of those that were prepared before the server started it is only known that
// there may be something. Where there is none of them, COMMIT PREPARED costs nothing.
#pragma once

#include <cstdint>

#include "shmem/databases.hpp"

namespace metrics_refresh::shmem {

inline constexpr int kMaxNotedDatabases = 16;

struct NotedDatabase {
  Oid oid;
  bool dropped;
};

/// What a transaction has to tell when it ends. Plain data.
struct TransactionNews {
  bool leftovers;
  bool all;
  RoleNews roles;
  int count;
  std::int64_t jobs[kMaxPostedJobs];
  bool all_databases;
  int database_count;
  NotedDatabase databases[kMaxNotedDatabases];
};

struct PreparedNews {
  TransactionId transaction;  // InvalidTransactionId: a free entry
  Oid database;
  TransactionNews news;
};

/// Keeps the news of a transaction that is being prepared. False where others have all the room:
/// at least one of them has ended then, and take_prepared_news() makes room. Never raises.
/// REQUIRES: the area exists.
bool keep_prepared_news(TransactionId transaction, Oid database,
                        const TransactionNews& news) noexcept;

/// The same of one that is prepared already, if it is older than this start of the server.
bool keep_unknown_news(TransactionId transaction, Oid database) noexcept;

/// Notes which transactions are older than this start of the server. REQUIRES: inside pg::call(),
/// in the launcher, before any scheduler starts.
void note_start();

/// True where news of prepared transactions is kept.
bool has_prepared_news() noexcept;

/// Takes the news of one whose transaction has ended, in whatever way. False where there is none.
/// REQUIRES: inside pg::call(), or in a callback of the server that may raise.
bool take_prepared_news(PreparedNews* news);

// For area.cpp.

Size prepared_news_size();
void init_prepared_news(LWLock* lock);

}  // namespace metrics_refresh::shmem
