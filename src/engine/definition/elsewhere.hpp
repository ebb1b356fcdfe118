// Tables of the catalog whose rows may be written past this server, so that its counts of changes
// (shmem/change_counters.hpp) and its triggers say nothing of them. Two signs of it are known: the
// catalog of Citus, whose distributed, reference and managed tables have their rows on any of its
// nodes; and a custom scan in the place of the table's own, unless it is known to read what is
// here.
//
// REQUIRES of all: inside pg::call(). Texts are lower case, without a full stop, in the current
// memory context.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// As catalogs say; or null. Keeps no lock, but waits for who holds such a catalog exclusively.
const char* why_written_elsewhere(Oid table);

/// Whether somebody who only looks at a view of `owner` may have such plans made: what they run is
/// then run in a session of the owner's.
bool may_plan_for(Oid owner);

/// Whether there can be such tables at all.
bool may_be_elsewhere();

/// As the planner's plan of a plain scan says, `with_children` of what inherits from the table too;
/// or null. Planning runs what is in the tables' indexes with the current role's rights. Locks the
/// tables in AccessShareLock. Takes no snapshot of the transaction's.
const char* why_scanned_elsewhere(Oid table, bool with_children);

/// The same of the table alone, in words that name it with its schema, without waiting for who
/// holds it exclusively: then nothing is said of its scan, nor unless this `may_plan`.
const char* why_unseen(Oid table, bool may_plan);

}  // namespace metrics_refresh::engine
