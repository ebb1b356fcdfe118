// Proposes settings for values that a hand-written installation had in its functions.
#pragma once

#include <string>

#include "api/adoption/adoption.hpp"
#include "store/adoption/old_functions.hpp"

namespace metrics_refresh::api {

/// Proposes metrics_refresh.admin_check: a function is_super_admin() or is_admin() that a policy of
/// the log uses, or that is in the schema. It is proposed only if its owner and the owner of its
/// schema are superusers, because they decide which users are admins.
void adopt_admin_check(Adoption& adoption, const std::string& schema, Oid log);

/// Proposes the retention of the old cleanup function, if it is longer than the present one.
void adopt_retention(Adoption& adoption, const store::OldFunction& cleanup);

}  // namespace metrics_refresh::api
