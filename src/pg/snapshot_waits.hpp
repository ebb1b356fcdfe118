// Who waits for this session's transaction because it holds a snapshot: CREATE INDEX CONCURRENTLY
// and its like wait until every older one is gone. They wait for the transaction itself, by a lock
// on its virtual number, and the server's deadlock detector sees no circle in it where this session
// waits for them by other means than a lock.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// True where the process waits, itself or for others in a row, until this session's transaction
/// has ended.
bool waits_for_this_transaction(pid_t process);

}  // namespace metrics_refresh::pg
