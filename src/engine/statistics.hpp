// The planner's statistics of a view that a refresh has changed: whoever reads the view next, for
// one another view of the same group, is planned with them.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::engine {

/// Runs ANALYZE on a view of which as many rows have changed as autovacuum takes for enough, unless
/// it was analyzed within the last minute, somebody holds it, or it is gone. Throws PgError.
/// REQUIRES: a transaction after the one that refreshed it, whose changes have been reported.
/// `may_run(owner)`: whether the session may run the code of that role.
void analyze_if_changed(Oid view, bool (*may_run)(Oid owner));

}  // namespace metrics_refresh::engine
