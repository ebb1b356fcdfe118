// Jobs that cannot start yet: queue_later. Rows are added below the executor, and changed with SQL;
// these are not on the path of an ordinary job. A row's lock is held only by functions that cancel
// or change the job, so readers skip locked rows. Whoever locked it tells the scheduler at its end.
//
// All functions but insert_later() REQUIRE: inside extension::as_extension(), whose Spi they get.
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// Adds jobs; `waits` is how many predecessors of all of them are open (dependencies.hpp).
/// REQUIRES: run_at is set.
void insert_later(const Job* jobs, std::size_t count, std::int16_t waits);

/// The place in the order of (run_at, id) up to which due jobs were moved.
struct DueCursor {
  TimestampTz run_at = DT_NOBEGIN;
  JobNumber id = 0;
};

struct DueJobs {
  std::vector<Job> moved;    // with their new places
  bool is_more = false;      // there may be more that are due
  bool has_skipped = false;  // a locked row was left out; its locker lowers the cursor
};

/// Moves up to `most` due jobs after the cursor into the segment, and moves the cursor. Jobs whose
/// type is missing become dead and are not in the result. REQUIRES: lock_current_segment().
DueJobs move_due(pg::Spi& spi, std::uint8_t segment, DueCursor& cursor, TimestampTz now,
                 std::size_t most);
/// The first time after the cursor at which a job is due.
std::optional<TimestampTz> next_due(pg::Spi& spi, const DueCursor& cursor);

/// Takes a job out and returns it, or nothing if it is not there (any more). Waits for a
/// transaction that changes the same job, at most lock_timeout.
std::optional<Job> take_later(pg::Spi& spi, JobNumber id);
/// Returns the job without changing it.
std::optional<Job> read_later(pg::Spi& spi, JobNumber id);
/// Changes a job that waits. Returns false if it is not there (any more).
bool change_later(pg::Spi& spi, JobNumber id, std::optional<TimestampTz> run_at,
                  std::optional<std::int16_t> priority);

/// Makes all failed jobs of these types due now, in the order of their numbers, `most` at a time.
/// Returns their numbers.
std::vector<JobNumber> hurry_failed(pg::Spi& spi, const std::vector<std::int64_t>& types,
                                    JobNumber after, TimestampTz now, std::size_t most);

struct LaterCount {
  TypeId type = 0;
  std::int64_t pending = 0, failed = 0;
};
/// How many jobs wait, by type. Reads the whole table: only for the start after a crash.
std::vector<LaterCount> count_later(pg::Spi& spi);

}  // namespace metrics_refresh::store::queue
