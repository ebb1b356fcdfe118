// The session user of a background worker. If the role can connect, the worker connects as the
// role. It cannot if it has no LOGIN or no CONNECT privilege, or if a connection limit is reached.
// Then the worker connects as the bootstrap superuser and gives the session to the role. The values
// of session_user, is_superuser, role and all settings are those of a session of the role, and the
// change cannot be reverted.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// True if a background worker can connect to this database as the role itself. REQUIRES: a
/// transaction.
bool can_connect_directly(Oid role);

/// Connects to `database` as `role`. Goes through the bootstrap superuser if `assumed` is set, or
/// if no connection is free for ordinary roles. Ends the process if it cannot connect.
void connect_as(Oid database, Oid role, bool assumed);

/// True if the session's user was a superuser when the session began, whatever has become of the
/// role. REQUIRES: a transaction.
bool has_session_of_superuser();

/// True if the session belongs to the role and cannot be given to another one.
bool has_session_of(Oid role);

}  // namespace metrics_refresh::pg
