// Finds the triggers of views that are set up for the strategy incremental. Delta tables and
// triggers are no members of the extension, so that pg_dump dumps them. The dependencies that this
// file records have the effect that DROP EXTENSION drops them nevertheless.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct FoundTrigger {
  int64 id;  // the view's number, from the name of the delta table
  Oid oid;
  Oid table;
};

/// Returns the OID of capture_keys(). Raises 42883 if the database lacks it.
Oid capture_function();

/// Returns all triggers of the database that fill delta tables, as a List of FoundTrigger*. They
/// are found by the function that they call and by its arguments, because a table's owner may
/// rename a trigger.
List* capturing_triggers();

/// Returns false if the trigger was dropped in the meantime.
bool still_exists(const FoundTrigger& trigger);

/// Makes the delta tables and triggers of a view depend on the extension. A dump does not contain
/// these dependencies. They do not depend on the view: DROP MATERIALIZED VIEW would then lock the
/// tables that the view reads exclusively (see engine/incremental/setup/sweep.hpp).
void add_extension_dependencies(int64 id);

}  // namespace metrics_refresh::engine
