// Which views read tables whose changes are not counted here (engine/definition/elsewhere.hpp), for
// those who look at health.
#pragma once

#include <map>
#include <string>

#include "pg/spi.hpp"

namespace metrics_refresh::api {

/// By view: why, by the name of the first such table.
using UnseenChanges = std::map<Oid, std::string>;

/// Of all materialized views. Waits for nobody: of a table that somebody holds exclusively little
/// is said.
UnseenChanges unseen_changes(pg::Spi& spi);

}  // namespace metrics_refresh::api
