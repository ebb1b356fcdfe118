// Batches as sessions use them that add jobs to them.
//
// REQUIRES: inside extension::as_extension(), whose Spi they get.
#pragma once

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

struct BatchState {
  Oid enqueued_by = InvalidOid;
  bool is_open = false;
  bool is_own = false;  // this transaction has made it
};

/// Locks the batch until the transaction ends, so that it is not closed meanwhile, and returns its
/// state. Nothing if there is none.
std::optional<BatchState> share_batch(pg::Spi& spi, std::int64_t id);

/// A number above all that have been given to jobs and batches.
std::int64_t number_limit(pg::Spi& spi);

}  // namespace metrics_refresh::store::queue
