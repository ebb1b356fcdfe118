// Jobs belong to roles, and are dumped with the roles' names: these follow what became of the
// roles.
#pragma once

#include "pg/spi.hpp"

namespace metrics_refresh::store {

/// Writes the present names of owners that were renamed, and notes which are gone, so that no role
/// that is made under such a name gets their jobs, here or where a dump is restored. False where
/// rows are left that somebody holds.
bool follow_owners(pg::Spi& spi);

}  // namespace metrics_refresh::store
