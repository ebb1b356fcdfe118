// Remembers, in this process, which scans the planner replaces (elsewhere.hpp). To plan a table
// with many partitions takes longer than the rest of an observation.
//
// Everything is forgotten when the server invalidates its cache for any relation. Extensions use
// such an invalidation to announce changes of their own catalogs. Everything is also forgotten when
// a hook of the planner or a setting of a library changes. Plans that sessions keep are not checked
// for more than that either.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct ReplacedScan {
  const char* scan;  // null: the scan is not replaced
  Oid table;
};

/// True if a library could replace a scan.
bool are_scans_hooked();

/// The stored result for the current role, or null. REQUIRES: the table is locked, so that pending
/// invalidations have been processed.
const ReplacedScan* find_known_scan(Oid table, bool with_children);

/// The first is called before planning, and the second after it.
void begin_to_know_scan();
void know_scan(Oid table, bool with_children, const ReplacedScan& replaced);

}  // namespace metrics_refresh::engine
