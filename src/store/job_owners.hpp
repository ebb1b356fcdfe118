// Jobs and job types belong to roles, but a dump contains the names of the roles. The function here
// adjusts them when roles are renamed or dropped.
#pragma once

#include "pg/spi.hpp"

namespace metrics_refresh::store {

/// Stores the new names of owners that were renamed, and marks jobs whose owner was dropped. A role
/// that is created later with such a name must not get them, neither here nor after a restore.
/// False if other sessions hold some of the rows.
bool follow_owners(pg::Spi& spi);

}  // namespace metrics_refresh::store
