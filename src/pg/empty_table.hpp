// Empties tables by TRUNCATE, below utility processing: no event trigger and no
// hook runs, and no other session waits.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// Locks a table and its TOAST table exclusively if no session has any lock on them. Returns false
/// otherwise; the lock of one of them may then be held until the transaction ends.
bool lock_if_unused(Oid table);

/// The number of rows that are visible to the snapshot.
std::int64_t count_rows(Oid table, Snapshot snapshot);

/// Gives the tables new, empty files. Logical decoding does not see it: the rows of a subscriber
/// are its own. REQUIRES: lock_if_unused() has returned true for each; nothing of them is open.
void empty_tables(const Oid* tables, std::size_t count);

}  // namespace metrics_refresh::pg
