// Jobs from the rows of a statement.
#pragma once

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// The columns of a job, for SELECT and RETURNING.
inline constexpr char kJobColumnList[] =
    "id, created_at, type_id, enqueued_by, version, attempts, priority, crashes, flags,"
    " max_attempts, run_at, batch, unique_hash, unique_until, key, unique_key, last_error, payload";

/// Reads the columns of the list. The job has no segment. Its values lie in the current memory
/// context: that of the Spi if there is one, so that they are valid until it ends.
Job job_of(const pg::Rows& rows, std::size_t row);

}  // namespace metrics_refresh::store::queue
