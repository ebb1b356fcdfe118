// The posts of prepared transactions, which another session may commit. They are stored by
// transaction, for all databases, and posted after COMMIT PREPARED; if that session dies first, by
// the scheduler, which looks once a second as long as has_prepared_posts(). As for
// shmem/prepared_news, the outcome is looked up when they are taken: those of a rolled back
// transaction are dropped.
#pragma once

#include "shmem/queue/post.hpp"

namespace metrics_refresh::shmem::queue {

inline constexpr std::uint32_t kMostPrepared = 16;  // of each kind

/// Stores the news at PREPARE. If there is more than fits, the segments are reread and the numbers
/// recounted. Returns false if all entries are in use; then at least one of the transactions has
/// ended, and post_prepared() frees its entry. Never raises.
bool store_prepared(TransactionId transaction, const Posts& posts) noexcept;
/// For a transaction that was prepared before the server started: all these segments (bits) are
/// reread when it has committed, and the numbers recounted. Does nothing if it is stored already.
bool store_unknown_prepared(TransactionId transaction, std::uint8_t segments) noexcept;

/// Whether news is stored for this database. Needs no lock if there is none at all.
bool has_prepared_posts() noexcept;
/// Posts the news of transactions of this database that have ended. REQUIRES: inside pg::call(), in
/// a transaction, or in a callback that may raise.
void post_prepared();

// For place.cpp.

Size prepared_posts_size();
void init_prepared_posts(LWLock* lock);

}  // namespace metrics_refresh::shmem::queue
