// Functions that change rows of a table without a transaction number, and give their lock back
// before the transaction ends: pg_surgery's. Nothing of it can be seen afterwards.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::hooks {

/// Called before any function is executed. It must not be slow.
bool changes_rows_silently(Oid function);

}  // namespace metrics_refresh::hooks
