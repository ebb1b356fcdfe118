// Removes the delta tables and triggers of views that were dropped, that no job refreshes by keys
// any more, or that were set up again. The scheduler does this, not the session that dropped the
// view or the job. Dropping a trigger locks its table exclusively. That lock must not be held until
// the end of a user's transaction, and the user may have no right to lock the table.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/incremental/capture/capture_dependencies.hpp"
#include "pg/spi.hpp"

namespace metrics_refresh::engine {

enum class Swept {
  kMore,  // one step was done, and more are left
  kDone,  // nothing is left
  kBusy,  // another session holds a lock that the next step needs
};

using TriggersByNumber = std::map<std::int64_t, std::vector<FoundTrigger>>;
/// Returns the triggers that fill delta tables, for all numbers. The cost is proportional to the
/// number of triggers in the database, so call it once for many numbers.
TriggersByNumber find_capturing_triggers();

/// Does one step for a number of store::incremental_leftovers(), as the work of one transaction.
/// `all` must have been found after the number. Locks one table until the transaction ends. If
/// `may_wait` is set, waits for that lock and throws PgError if it cannot be acquired. REQUIRES: a
/// transaction of its own with the extension's rights.
Swept sweep_incremental(pg::Spi& spi, std::int64_t id, const TriggersByNumber& all, bool may_wait);

}  // namespace metrics_refresh::engine
