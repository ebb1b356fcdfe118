// Recognizes the functions of pg_surgery. They change rows of a table without a transaction ID, and
// release their lock before the transaction ends. Such a change leaves no trace at the commit.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::hooks {

/// True for a function that changes rows in this way. It must be fast, because it is called before
/// each execution of a function.
bool changes_rows_silently(Oid function);

}  // namespace metrics_refresh::hooks
