// Bounds of a segment, without a look at its rows.
#pragma once

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// About how many rows of the segment have an end mark, from the size of a file.
std::int64_t ended_rows(std::uint8_t segment);

/// The highest number of a job in the segment that the snapshot sees; 0 if there is none.
/// REQUIRES: inside extension::as_extension().
JobNumber last_number(pg::Spi& spi, std::uint8_t segment);

}  // namespace metrics_refresh::store::queue
