// The planner's statistics of a view after a refresh. Queries that read the view next, for example
// those of another view in the group, are planned with them.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::engine {

/// Runs ANALYZE on a view if enough of its rows have changed for autovacuum to do it. Does nothing
/// if the view was analyzed within the last minute, is locked by another session, or was dropped.
/// Throws PgError. REQUIRES: a transaction after the one of the refresh, whose changes have been
/// reported. `may_run(owner)` tells if the session may run the code of that role.
void analyze_if_changed(Oid view, bool (*may_run)(Oid owner));

}  // namespace metrics_refresh::engine
