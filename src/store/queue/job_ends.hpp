// Whether jobs have ended, for other jobs that wait for them.
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

struct JobEnds {
  std::vector<std::int64_t> completed;  // also those that never existed
  std::vector<std::int64_t> stopped;    // dead or canceled
};
/// Those of the jobs that have ended, as a new snapshot sees it. A batch that has not ended counts
/// as a job, since its callback has its number. REQUIRES: inside extension::as_extension(); no
/// segment is emptied meanwhile, so the caller is the process that empties them.
JobEnds find_ends(pg::Spi& spi, const std::vector<std::int64_t>& jobs);

/// The earliest run_at of these jobs of queue_later. REQUIRES: as above.
std::optional<TimestampTz> earliest_run(pg::Spi& spi, const std::vector<std::int64_t>& jobs);

}  // namespace metrics_refresh::store::queue
