// Counts the changes of tables (change_counters.hpp), in every process of the server.
//
// A transaction that writes rows of a table holds RowExclusiveLock on it until its end. This is
// true for DML, COPY, actions of foreign keys, logical replication and refreshes. Therefore these
// locks are examined before a commit. Unlike statistics and triggers, locks cannot be switched off,
// and they follow savepoints. The count is too high if a statement found no row to change. It is
// never too low. New storage of a table (TRUNCATE, a rewrite) shows in the catalog, which the
// reader of the counts checks.
//
// A transaction without an ID has normally changed no row. Some tools change pages without an ID,
// and a rollback does not undo such changes. They write WAL, unless the table is unlogged or has a
// special access method (pg::may_change_silently()). If there is neither an ID nor WAL, only such
// tables are counted. If a transaction is rolled back, a locked table is counted if no statement
// has changed its rows. Tools that release their lock at once (pg_surgery) are known by their
// functions (hooks/silent_tools.hpp). A transaction that calls one is counted for all tables.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// Starts to count the transactions of this process. REQUIRES: called once, from _PG_init.
void watch_changes();

/// Notes that the keys of the rows that the current transaction changes in the table are captured.
/// Changes by logical replication never count as captured, because they fire no statement triggers.
/// REQUIRES: inside pg::call().
void note_captured(Oid relation);

/// Notes that the current transaction changes the table and that these changes are not captured.
/// This overrides note_captured() for the table. REQUIRES: inside pg::call(), or in a callback of
/// the server that may raise. The transaction already has a stronger lock on the table.
void note_uncaptured(Oid relation);

/// Counts the current transaction for every table, even if it is rolled back.
void note_any_changed() noexcept;

}  // namespace metrics_refresh::shmem
