// Roles and their rights, as the server's catalogs have them.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// InvalidOid where no such role exists.
Oid role_oid(const std::string& name);
/// Empty where no such role exists.
std::string role_name(Oid role);

/// False also where no such role exists.
bool is_superuser(Oid role);
/// True where the current user has the rights of `role` (a superuser has everyone's).
bool has_rights_of(Oid role);
/// The same asked of another role.
bool has_rights_of(Oid member, Oid role);

/// True where the role may execute the function; false where no such function exists. REQUIRES:
/// within call().
bool may_execute(Oid function, Oid role);

/// True for roles that may log in.
bool can_log_in(Oid role);
/// True for roles whose password is no longer valid.
bool has_password_expired(Oid role);
/// True for roles that may connect to this database.
bool can_connect(Oid role);

}  // namespace metrics_refresh::pg
