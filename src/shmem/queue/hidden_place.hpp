// A transaction that drops the extension and creates it again sees a schema that no other session
// sees. They use the place of the old schema, with its claims, until it commits, and for ever if it
// is rolled back. So such a transaction hides the place from itself, as if the database had none.
// Its commit makes the place anew before it posts its news.
#pragma once

#include "shmem/queue/memory.hpp"

namespace metrics_refresh::shmem::queue {

/// Whether the open transaction has made the schema. REQUIRES: inside pg::call().
bool is_made_here(Oid schema);
/// REQUIRES: is_made_here(schema).
void hide_place(Oid schema) noexcept;
bool hides_place_for(Oid schema) noexcept;

// For the news of a transaction (store/queue/news.cpp).

bool hides_place() noexcept;
/// After the commit, when it is visible to all. Does nothing if no place is hidden.
void renew_hidden_place() noexcept;
/// At a rollback or PREPARE, before holds and claims are given back: the place is as it was. The
/// session that commits a prepared transaction finds the new schema as any other one does.
void show_place() noexcept;
/// The same at the end of a subtransaction, for a place that was hidden in it.
void follow_subtransaction(SubXactEvent event, SubTransactionId sub,
                           SubTransactionId parent) noexcept;

}  // namespace metrics_refresh::shmem::queue
