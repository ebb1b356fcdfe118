// Detects changes of roles and memberships made by any session in any database.
#pragma once

namespace metrics_refresh::pg {

/// Starts the detection in this process. REQUIRES: called once.
void watch_roles();

/// True if there was a change since the last call. REQUIRES: outside of any transaction.
bool take_role_changes();

}  // namespace metrics_refresh::pg
