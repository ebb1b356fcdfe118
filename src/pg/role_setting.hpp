// A setting that somebody else wrote down for a role: it is set as the role itself could set it.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Sets `name` with no more rights than `role` has. A setting of a library's (`name.name`) is set
/// as one without rights sets it where the role is a superuser: before the library is loaded,
/// nobody can tell what the setting means, nor who may set it. Throws PgError.
void set_as(Oid role, const std::string& name, const std::string& value, GucAction action);

}  // namespace metrics_refresh::pg
