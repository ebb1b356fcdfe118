// The trigger that writes the keys of changed rows into a delta table, in the transaction that
// changes them.
//
// Its arguments: the name of the delta table, in the schema metrics_refresh, and the names of the
// columns to capture. Names, not oids: triggers and delta tables are the user's, and go through
// pg_dump.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// A writer is never stopped by it: where the delta table is missing, nothing is captured, and
/// whoever refreshes sees it and looks at all rows.
/// REQUIRES: inside pg::call(); an AFTER trigger FOR EACH STATEMENT.
void capture_keys(const TriggerData* data);

}  // namespace metrics_refresh::engine
