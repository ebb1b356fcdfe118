// Rows that the scheduler reads after a start of the server.
//
// All functions REQUIRE: inside extension::as_extension(), whose Spi they get.
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// The run_at of suspects: jobs of queue_later that were running when the server crashed, and are
/// to be started one after the other. An index finds it. A role may give it to another job, which
/// is no suspect.
inline constexpr TimestampTz kSuspectRunAt = MIN_TIMESTAMP;

/// The numbers of suspects, in order.
std::vector<JobNumber> read_suspects(pg::Spi& spi);

/// How many jobs of the type have started since then, as far as the history and the log of failures
/// know; not more than `most`.
std::int64_t count_starts(pg::Spi& spi, TypeId type, const std::string& name, core::Instant since,
                          std::int64_t most);

/// Transactions that were prepared before the server started may have added jobs. When they have
/// committed, all segments are read again.
void record_prepared_jobs(pg::Spi& spi);

}  // namespace metrics_refresh::store::queue
