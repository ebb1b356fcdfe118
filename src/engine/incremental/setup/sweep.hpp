// Takes away what is left over of views that were set up for the strategy incremental: that are
// gone, that no job wants to be kept so any more, or that were set up anew. The scheduler does it,
// not whoever dropped the view or the job: to drop a trigger locks its table exclusively, and that
// must not last as long as somebody's transaction, who may have no such right over the table.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/incremental/capture/ties.hpp"
#include "pg/spi.hpp"

namespace metrics_refresh::engine {

enum class Swept {
  kMore,  // a step was done, and there is another
  kDone,  // nothing is left
  kBusy,  // somebody holds what the next step needs
};

using TriggersByNumber = std::map<std::int64_t, std::vector<FoundTrigger>>;
/// The triggers that fill delta tables, of all numbers. Takes time by how many there are: to be
/// called once for many numbers.
TriggersByNumber find_capturing_triggers();

/// One step for a number of store::incremental_leftovers(), which is a transaction's work. `all`
/// was found after the number. Locks one table, for the rest of the transaction; `may_wait`: waits
/// for that lock, and throws PgError where it cannot be had. REQUIRES: a transaction of its own
/// with the extension's rights.
Swept sweep_incremental(pg::Spi& spi, std::int64_t id, const TriggersByNumber& all, bool may_wait);

}  // namespace metrics_refresh::engine
