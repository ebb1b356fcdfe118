// Detects processes that wait for this session's transaction because of its snapshot. CREATE INDEX
// CONCURRENTLY and similar statements wait until all older snapshots are gone. They wait with a
// lock on the virtual transaction id. If this session waits for them by other means than a lock,
// the server's deadlock detector sees no cycle.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// True if the process waits for the end of this session's transaction, directly or through a chain
/// of other processes.
bool waits_for_this_transaction(pid_t process);

}  // namespace metrics_refresh::pg
