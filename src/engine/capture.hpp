// The trigger that writes the keys of changed rows into a delta table, in the transaction that
// changes them. It asks for no privilege, so that whoever may write the table can; it goes through
// the table access method, without SQL, so that it costs little.
//
// Its arguments: the name of the delta table, in the schema metrics_refresh, and the names of the
// columns to capture. Names, not oids: triggers and delta tables are the user's, and go through
// pg_dump. The delta table has these columns under the names k1, k2 …, and `whole`: true where any
// row may have changed.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// More distinct keys of one statement are not told apart: it counts as a change of the whole
/// table.
inline constexpr int64 kMaxCaptured = 100'000;

/// Where the delta table is missing, or is not as the trigger needs it, nothing or `whole` is
/// captured: a writer is never stopped by it. Whoever refreshes sees it and looks at all rows.
/// REQUIRES: inside pg::call(); an AFTER trigger FOR EACH STATEMENT.
void capture_keys(const TriggerData* data);

}  // namespace metrics_refresh::engine
