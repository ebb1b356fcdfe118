// Notices changes of roles and of their memberships, whoever makes them in whichever database.
#pragma once

namespace metrics_refresh::pg {

/// From now on this process notices them. REQUIRES: called once.
void watch_roles();

/// True where there were some since the last call. REQUIRES: outside any transaction.
bool take_role_changes();

}  // namespace metrics_refresh::pg
