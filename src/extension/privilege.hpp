// The role of the caller and its privileges, as described in docs/security.md.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::extension {

/// True if the current user is a superuser or a member of metrics_refresh.admin_role. Also true if
/// the function metrics_refresh.admin_check accepts it. If that function cannot be used, a warning
/// is issued and the answer is no.
bool is_super_admin();

/// True if the role is a superuser or a member of metrics_refresh.admin_role. Calls no function.
bool is_admin(Oid role);

/// The reason why metrics_refresh.admin_role or metrics_refresh.admin_check cannot work, or empty.
std::string reason_against_admin_settings();

/// Throws SqlError 42501 unless is_super_admin(). `action` completes "… requires a super admin".
void require_super_admin(const std::string& action);

/// The reason why a client could not connect to this database as this role, or nothing. A command
/// runs in a session of its owner. REQUIRES: the role exists.
std::optional<pg::SqlError> reason_against_login(Oid role);

}  // namespace metrics_refresh::extension
