// Access to the server's pending statistics of rows that the present transaction has changed.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True if statements in the part of the transaction that began at this nest level have inserted,
/// updated or deleted rows of the table. Committed parts of it count as well. The table belongs to
/// this database. False if track_counts is off. REQUIRES: in a callback of the server, before that
/// part has ended.
bool has_changed_rows(Oid table, int nest_level);

}  // namespace metrics_refresh::pg
