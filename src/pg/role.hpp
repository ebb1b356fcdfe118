// Roles and their rights, according to the catalogs of the server.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// InvalidOid if the role does not exist.
Oid role_oid(const std::string& name);
/// Empty if the role does not exist.
std::string role_name(Oid role);

/// False if the role does not exist.
bool is_superuser(Oid role);
/// True if the current user has the rights of `role`. A superuser has the rights of all roles.
bool has_rights_of(Oid role);
/// The same for another role.
bool has_rights_of(Oid member, Oid role);

/// True if the role may execute the function. False if the function does not exist. REQUIRES:
/// inside call().
bool may_execute(Oid function, Oid role);

/// True if the role may log in.
bool can_log_in(Oid role);
/// True if the password of the role has expired.
bool has_password_expired(Oid role);
/// True if the role may connect to this database.
bool can_connect(Oid role);

}  // namespace metrics_refresh::pg
