// Whose session a background worker has. Where the role can connect, it does. Where it cannot (it
// must not log in, has no CONNECT, or a limit of connections stands in the way), the worker
// connects as the bootstrap superuser and gives the session to the role: session_user,
// is_superuser, role and settings are those of a session of the role's own, and there is no way
// back.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// True where a background worker can connect to this database as the role itself. REQUIRES: a
/// transaction.
bool can_connect_directly(Oid role);

/// Connects to `database` as `role`, by way of the bootstrap superuser where `assumed` is set or
/// ordinary roles find no connection free. Ends the process where it cannot connect.
void connect_as(Oid database, Oid role, bool assumed);

/// True where the session is the role's and cannot become anybody else's.
bool has_session_of(Oid role);

}  // namespace metrics_refresh::pg
