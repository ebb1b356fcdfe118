// What the server's own statistics know of rows that the transaction under way has changed.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True where the part of the transaction that began at this nest level, or a committed part of it,
/// has inserted, updated or deleted rows of a table of this database as statements do. False also
/// where nobody counts (track_counts). REQUIRES: a callback of the server, before the part has
/// ended.
bool has_changed_rows(Oid table, int nest_level);

}  // namespace metrics_refresh::pg
