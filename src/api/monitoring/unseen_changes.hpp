// Finds views that read tables whose changes are not counted on this server
// (engine/definition/elsewhere.hpp), for health checks.
#pragma once

#include <map>
#include <string>

#include "pg/spi.hpp"

namespace metrics_refresh::api {

/// For each view the reason, with the name of the first such table.
using UnseenChanges = std::map<Oid, std::string>;

/// For all materialized views. Does not wait: the result is incomplete for a table that another
/// session has locked exclusively.
UnseenChanges unseen_changes(pg::Spi& spi);

}  // namespace metrics_refresh::api
