// Delta tables and triggers are no members of the extension, so that pg_dump takes them along: this
// makes them go with the view and with the extension all the same.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct FoundTrigger {
  Oid oid;
  Oid table;
  const char* name;
};

/// The triggers of a view with this number in incremental_view, on whichever tables, as List of
/// FoundTrigger*: known by their names and by the function that they call. REQUIRES: inside
/// pg::call().
List* triggers_of(int64 id);

/// Ties delta tables and triggers to the extension, and triggers to the view; a dump does not know
/// of it. Not delta tables to the view: where that waits for a primary key, as one does that groups
/// by it, pg_dump could not put its table before it. REQUIRES: inside pg::call().
void tie_down(Oid view, int64 id);

/// Drops the delta tables of views that are gone. Does nothing where the database lacks the
/// extension. REQUIRES: inside a frame that a server error may leave.
void drop_orphaned_deltas();

}  // namespace metrics_refresh::engine
