// What counts the changes of tables (change_counters.hpp), in every process of the server.
//
// A transaction that writes rows of a table holds RowExclusiveLock on it until its end, whatever
// wrote them: DML, COPY, a foreign key's action, logical replication, a refresh. So before a commit
// these locks are looked through. This depends on no setting (statistics can be switched off,
// triggers disabled) and follows savepoints, whose locks go with them. Too much is counted where a
// statement found no row to change, never too little. What replaces a table's storage (TRUNCATE, a
// rewrite) shows in the catalog, and is the reader's matter.
//
// A transaction without a number has changed no row, as a rule. But what changes a page without one
// has done so for good, even if it is rolled back. It writes WAL, unless the table is unlogged or
// its access method does as it likes. So where neither a number nor WAL was written, only such
// tables count. Of what is rolled back, tables count that were locked and of which no statement has
// changed a row. Tools that do so and give their lock back at once (pg_surgery) are known by their
// functions (hooks/silent_tools.hpp): whatever transaction calls one counts for all tables.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// Has every transaction of this process counted. REQUIRES: called once, from _PG_init.
void watch_changes();

/// The keys of what the transaction under way has changed in the table are captured. A change that
/// logical replication brings never counts as captured, for it fires no statement's trigger.
/// REQUIRES: inside pg::call().
void note_captured(Oid relation);

/// The transaction under way counts as one that has changed the table, whose changes are not
/// captured, whatever else is noted of it before or after. REQUIRES: inside pg::call(), or in a
/// callback of the server that may raise; the transaction has a stronger lock on the table.
void note_uncaptured(Oid relation);

/// The transaction under way counts as one that has changed every table, even if it is rolled back.
void note_any_changed() noexcept;

}  // namespace metrics_refresh::shmem
