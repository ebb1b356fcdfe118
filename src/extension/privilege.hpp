// Who the caller is and what the caller may do, as docs/security.md says it.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::extension {

/// True for a superuser, for a member of metrics_refresh.admin_role, and for one of whom the
/// function metrics_refresh.admin_check says so; asked of the current user. A misconfigured check
/// warns and counts as no.
bool is_super_admin();

/// True for a superuser, and for a member of metrics_refresh.admin_role: of any role, without
/// asking a function.
bool is_admin(Oid role);

/// Why metrics_refresh.admin_role or metrics_refresh.admin_check cannot work as set, or empty.
std::string admin_settings_problem();

/// Throws SqlError 42501 unless is_super_admin(). `action` completes "… requires a super admin".
void require_super_admin(const std::string& action);

/// Why a client could not connect to this database as the role, which exists; nothing where it
/// could. A command runs connected as its owner.
std::optional<pg::SqlError> login_problem(Oid role);

}  // namespace metrics_refresh::extension
