// The views of a group on one snapshot must have one owner: a refresh runs in its owner's session,
// and a snapshot is one session's.
#pragma once

#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// Throws SqlError 0A000, which names them, where these owners of views are several.
void require_one_owner(const std::vector<Oid>& owners);

}  // namespace metrics_refresh::engine
