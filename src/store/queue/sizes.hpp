// Sizes and bounds of the tables of jobs, without a look at their rows.
#pragma once

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// Bytes of the jobs of a segment on disk, also of long payloads, but without indexes.
std::int64_t stored_bytes(std::uint8_t segment);

/// Bytes of the claims of workers outside the server, of which a job may have any number.
std::int64_t claim_bytes(std::uint8_t segment);

/// About how many end marks or claims the segment has, whichever are more, from the sizes of files.
std::int64_t spent_rows(std::uint8_t segment);

/// The highest number of a job in the segment that the snapshot sees; 0 if there is none.
/// REQUIRES: inside extension::as_extension().
JobNumber last_number(pg::Spi& spi, std::uint8_t segment);

}  // namespace metrics_refresh::store::queue
