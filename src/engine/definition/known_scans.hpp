// Whose scans the planner was found to replace (elsewhere.hpp), remembered by this process: to plan
// a table with many partitions takes longer than all else that a view is looked at for. All of it
// is forgotten when the server invalidates what it knows of any relation, which is how extensions
// tell of a change of their own catalogs, and when a hook of the planner or a library's setting is
// another one. More than that no extension can expect of plans that sessions keep.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct ReplacedScan {
  const char* scan;  // null: none is
  Oid table;
};

/// Whether anybody could replace a scan.
bool are_scans_hooked();

/// What the planner said of it to the current role; or null. REQUIRES: the table is locked, so that
/// invalidations have been taken note of.
const ReplacedScan* find_known_scan(Oid table, bool with_children);

/// Call before the planner is asked, then after it.
void begin_to_know_scan();
void know_scan(Oid table, bool with_children, const ReplacedScan& replaced);

}  // namespace metrics_refresh::engine
