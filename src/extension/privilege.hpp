// Who the caller is and what the caller may do, as docs/security.md says it.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// True for a superuser, for a member of metrics_refresh.admin_role, and for one of whom the
/// function metrics_refresh.admin_check says so; asked of the current user. A misconfigured check
/// warns and counts as no.
bool is_super_admin();

/// True for a superuser, and for a member of metrics_refresh.admin_role: of any role, without
/// asking a function.
bool is_admin(Oid role);
/// False also where no such role exists.
bool is_superuser(Oid role);

/// Why metrics_refresh.admin_role or metrics_refresh.admin_check cannot work as set, or empty.
std::string admin_settings_problem();

/// Throws SqlError 42501 unless is_super_admin(). `action` completes "… requires a super admin".
void require_super_admin(const std::string& action);

/// True where the current user has the rights of `role` (a superuser has everyone's).
bool has_rights_of(Oid role);
/// The same asked of another role.
bool has_rights_of(Oid member, Oid role);

/// True where the role may execute the function; false where no such function exists. REQUIRES:
/// within call().
bool may_execute(Oid function, Oid role);

/// InvalidOid where no such role exists.
Oid role_oid(const std::string& name);
/// Empty where no such role exists.
std::string role_name(Oid role);
/// Why a client could not connect to this database as the role, which exists; nothing where it
/// could. A command runs connected as its owner.
std::optional<SqlError> login_problem(Oid role);
/// True for roles that may log in.
bool can_log_in(Oid role);
/// True for roles whose password is no longer valid.
bool has_password_expired(Oid role);
/// True for roles that may connect to this database.
bool can_connect(Oid role);

}  // namespace metrics_refresh::pg
