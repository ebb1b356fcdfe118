// Which tables the transaction under way writes: who writes rows of a table, in whatever way, holds
// RowExclusiveLock on it until the transaction's end.
//
// REQUIRES of both: inside pg::call(), or in a callback of the server.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True where the transaction has that lock on a table of this database.
bool has_write_lock(Oid relation);

/// Calls `visit(context, relation)` for every table of this database on which the transaction has
/// that lock; also for some others, and some more than once. It takes as long as the transaction
/// has locks. `visit` must not raise an error, nor take a lock.
void for_each_write_lock(void (*visit)(void* context, Oid relation), void* context);

}  // namespace metrics_refresh::pg
