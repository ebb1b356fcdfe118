// The trigger function that writes the keys of changed rows into a delta table, in the transaction
// that changes the rows.
//
// The trigger's arguments are the name of a delta table in the internal schema, and the names of
// the columns to capture. They are names and not OIDs, because pg_dump must be able to restore the
// trigger.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// Never fails because of a missing delta table, so that writers can go on. Then nothing is
/// captured, the next refresh detects it and compares all rows. REQUIRES: inside pg::call(); an
/// AFTER trigger FOR EACH STATEMENT.
void capture_keys(const TriggerData* data);

}  // namespace metrics_refresh::engine
