// The tables that the present transaction writes. Any write to the rows of a table holds
// RowExclusiveLock on it until the end of the transaction.
//
// REQUIRES for both functions: inside pg::call(), or in a callback of the server.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True if the transaction holds that lock on a table of this database.
bool has_write_lock(Oid relation);

/// Calls `visit(context, relation)` for every table of this database on which the transaction holds
/// that lock. May also call it for other tables, and repeatedly for one table. Takes time
/// proportional to the number of locks. `visit` must not raise an error or take a lock.
void for_each_write_lock(void (*visit)(void* context, Oid relation), void* context);

}  // namespace metrics_refresh::pg
