// Detects changes of roles and memberships made by any session in any database.
#pragma once

namespace metrics_refresh::pg {

/// Starts the detection in this process. REQUIRES: called once.
void watch_roles();

/// True if a transaction of this process has met a change since the last call. An idle process does
/// not know of the changes that came after its last transaction began.
bool take_role_changes() noexcept;

}  // namespace metrics_refresh::pg
