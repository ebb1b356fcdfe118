// Creates and drops delta tables and the triggers that fill them, by C functions of the server and
// with OIDs. No SQL text is built, so names of objects cannot inject anything. Settings of the
// session, such as default_tablespace and search_path, and default privileges have no effect. No
// event trigger fires.
//
// REQUIRES for all functions: inside pg::call(), with superuser rights.
#pragma once

#include "engine/incremental/analysis/key_derivation.hpp"

namespace metrics_refresh::engine {

/// Creates the delta table for the table with index `at` of a derivation. It is unlogged, so that
/// writers write less WAL and publications FOR ALL TABLES do not include it. It is in the
/// database's default tablespace, and no role has privileges on it. Raises the server's errors.
void make_delta_table(int64 id, int at, const KeyTable& table);

/// Creates the triggers that fill it, one for each event. They fire in every kind of session. Locks
/// the table in ShareRowExclusiveLock. Raises 42710 if a trigger with such a name exists.
void make_triggers(int64 id, int at, const KeyTable& table);

/// Drops triggers (List of FoundTrigger*). Locks their tables exclusively.
void drop_triggers(List* triggers);

/// Drops all delta tables of a view's number. A table that other objects depend on is only emptied.
/// Locks the tables exclusively, without waiting: returns false if another session holds a lock.
bool drop_delta_tables(int64 id);

}  // namespace metrics_refresh::engine
