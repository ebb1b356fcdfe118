// Finds the triggers of a view that is set up for the strategy incremental. Delta tables and
// triggers are no members of the extension, so that pg_dump takes them along: this makes them go
// with the extension all the same.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct FoundTrigger {
  int64 id;  // the number of its delta table
  Oid oid;
  Oid table;
};

/// The function capture_keys(). Raises 42883 where the database lacks it.
Oid capture_function();

/// All triggers of the database that fill delta tables, as List of FoundTrigger*: known by the
/// function that they call and what it is told, which nobody else can write. A table's owner may
/// give a trigger any name.
List* capturing_triggers();

/// True where it has not been dropped meanwhile.
bool is_still_there(const FoundTrigger& trigger);

/// Ties delta tables and triggers to the extension; a dump does not know of it. Not to the view:
/// who drops that would lock the tables that it reads exclusively
/// (engine/incremental/setup/sweep.hpp).
void tie_down(int64 id);

}  // namespace metrics_refresh::engine
