// The views of a group with one snapshot must have one owner. A refresh runs in a session of its
// owner, and sessions do not share snapshots.
#pragma once

#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// Throws SqlError 0A000, which names the owners, if there are several.
void require_one_owner(const std::vector<Oid>& owners);

}  // namespace metrics_refresh::engine
