// Notices changes of roles and of their memberships, whoever makes them in whichever database.
#pragma once

namespace metrics_refresh::pg {

/// From now on this process notices them. REQUIRES: called once.
void watch_roles();

/// True where a transaction of this process has met some since the last call. Of those that came
/// since its last transaction began, a process that has been idle does not know.
bool take_role_changes() noexcept;

}  // namespace metrics_refresh::pg
