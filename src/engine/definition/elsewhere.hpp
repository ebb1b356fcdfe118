// Tables whose rows may be written without this server. Its counts of changes
// (shmem/change_counters.hpp) and its triggers then miss changes. Two signs are known. The first is
// the catalog of Citus: the rows of distributed, reference and managed tables are on any of its
// nodes. The second is a custom scan in place of the table's own scan, unless it is known to read
// local rows.
//
// REQUIRES of all: inside pg::call(). Texts are lower case, without a full stop, in the current
// memory context.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The reason according to the catalogs, or null. Keeps no lock, but waits while another session
/// holds such a catalog exclusively.
const char* reason_written_elsewhere(Oid table);

/// True if a session that only reports on a view of `owner` may make such plans. Planning can run
/// code of that role, which must run only in its own session.
bool may_plan_for(Oid owner);

/// True if such tables can exist in this database.
bool may_be_elsewhere();

/// The reason according to the plan of a plain scan, or null. If `with_children`, the scan includes
/// the children of the table. Planning runs code in the indexes of the tables with the rights of
/// the current role. Locks the tables in AccessShareLock. Does not take the transaction's snapshot.
const char* reason_scanned_elsewhere(Oid table, bool with_children);

/// The same for the table alone, with its schema in the text, and without waiting for a lock. If
/// the table is locked exclusively, or not `may_plan`, its scan is not examined.
const char* reason_unseen(Oid table, bool may_plan);

}  // namespace metrics_refresh::engine
