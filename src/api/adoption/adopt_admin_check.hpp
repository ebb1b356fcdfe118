// Settings that a hand-written installation had in its functions.
#pragma once

#include <string>

#include "api/adoption/adoption.hpp"
#include "store/adoption/old_functions.hpp"

namespace metrics_refresh::api {

/// Guesses metrics_refresh.admin_check: the function is_super_admin() or is_admin() that the
/// policies of the log ask, or that stands in the schema. Only one whose owner is an admin anyway
/// is proposed, for who writes the function says who is one.
void adopt_admin_check(Adoption& adoption, const std::string& schema, Oid log);

/// Keeps the log for as long as the old clean-up did, if that is longer.
void adopt_retention(Adoption& adoption, const store::OldFunction& cleanup);

}  // namespace metrics_refresh::api
