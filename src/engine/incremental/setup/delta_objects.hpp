// Makes and drops the delta tables and the triggers that fill them, by the server's own C functions
// with what they are about as OIDs. There is no SQL text that an object's name could get into, no
// setting of the session counts (default_tablespace, search_path and the like), no default
// privilege is given, and no event trigger fires.
//
// REQUIRES of all: inside pg::call(), with a superuser's rights.
#pragma once

#include "engine/incremental/analysis/key_derivation.hpp"

namespace metrics_refresh::engine {

/// The delta table of the table at place `at` of a derivation: unlogged, so that writers write less
/// and no publication of all tables has it; in the database's own tablespace; with privileges for
/// nobody. Raises what the server raises.
void make_delta_table(int64 id, int at, const KeyTable& table);

/// The triggers that fill it, one an event, which fire in every kind of session. Locks the table in
/// ShareRowExclusiveLock. Raises 42710 where it has one of such a name.
void make_triggers(int64 id, int at, const KeyTable& table);

/// Drops triggers (List of FoundTrigger*). Locks their tables exclusively.
void drop_triggers(List* triggers);

/// Drops all delta tables of a number, but for one that others depend on, which is emptied. Locks
/// them exclusively. False where somebody holds one: it waits for nobody.
bool drop_delta_tables(int64 id);

}  // namespace metrics_refresh::engine
