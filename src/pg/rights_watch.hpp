// Notices changes of functions, schemas and roles, so that answers about rights can be remembered.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// A number that has changed if a function, a schema, a role or a membership may have changed since
/// the last call, as far as this process has heard of it. The first call registers callbacks.
std::uint64_t rights_version();

}  // namespace metrics_refresh::pg
