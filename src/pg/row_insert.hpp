// Inserts a row below the executor: no trigger and no rule of the table is executed.
#pragma once

#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::pg {

/// Inserts a row with its index entries into a table that was opened with RowExclusiveLock.
/// REQUIRES: one value for each column, in their order and of their types; the table has no
/// constraints but unique indexes. Throws PgError.
void insert_row(Relation table, const std::vector<Param>& columns);

}  // namespace metrics_refresh::pg
