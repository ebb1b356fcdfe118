// Takes away what is left over of views that were set up for the strategy incremental: that are
// gone, that no job wants to be kept so any more, or that were set up anew. The scheduler does it,
// not whoever dropped the view or the job: to drop a trigger locks its table exclusively, and that
// must not last as long as somebody's transaction, who may have no such right over the table.
#pragma once

#include <cstdint>

#include "pg/spi.hpp"

namespace metrics_refresh::engine {

/// One step for a number of store::incremental_leftovers(), which is a transaction's work: false
/// where that was the last. Locks one table, for the rest of the transaction. Throws PgError where
/// a lock cannot be had, SqlError 55P03 where a refresh is under way. REQUIRES: a transaction of
/// its own with the extension's rights.
bool sweep_incremental(pg::Spi& spi, std::int64_t id);

}  // namespace metrics_refresh::engine
