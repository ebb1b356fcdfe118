// The tables of the queue by number, so that no name is looked up for a job. The numbers are read
// again after any of the tables has changed, as by a TRUNCATE.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/append_rows.hpp"
#include "store/queue/job.hpp"
#include "store/queue/periods.hpp"

namespace metrics_refresh::store::queue {

struct Tables {
  Oid hot[kSegments];
  Oid hot_id[kSegments];      // the index on id
  Oid hot_unique[kSegments];  // the partial index on unique_hash
  Oid ended[kSegments];
  Oid ended_id[kSegments];  // the unique index on (id, version)
  Oid claim[kSegments];
  Oid history[kPeriods];
  Oid later;
  Oid stopped;
  Oid batch;
};

/// InvalidOid for all if the extension is missing. Valid until the next lock of a relation.
const Tables& tables();

/// Opens one of them. Raises 55000 if it does not exist.
Relation open_queue_table(Oid table, LOCKMODE mode);
/// The same for appending.
void open_queue_appender(pg::Appender* appender, Oid table);

}  // namespace metrics_refresh::store::queue
