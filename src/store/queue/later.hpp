// Jobs that cannot start yet: queue_later. Rows are added below the executor, and changed with SQL;
// these are not on the path of an ordinary job. Only functions that cancel or change a job hold the
// lock of its row for longer. So the mover skips locked rows, and the transaction that had the lock
// tells the scheduler at its end.
//
// Functions with an Spi REQUIRE: inside extension::as_extension(). The values of their jobs are
// valid until the Spi ends.
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/hot.hpp"

namespace metrics_refresh::store::queue {

/// Adds jobs; `waits` is how many predecessors of each are open (dependencies.hpp). REQUIRES:
/// run_at is set and finite.
void insert_later(const Job* jobs, std::size_t count, std::int16_t waits);

/// The place in the order of (run_at, id) up to which due jobs were moved.
struct DueCursor {
  TimestampTz run_at = DT_NOBEGIN;
  JobNumber id = 0;
};

struct DueJobs {
  std::vector<Unended> moved;  // with their new places, by number
  std::vector<Unended> dead;   // their type does not exist
  bool is_more = false;        // there may be more that are due
};

/// Moves up to `most` due jobs after the cursor into the segment, and advances the cursor. Jobs
/// whose type is missing become dead. REQUIRES: lock_current_segment().
DueJobs move_due(pg::Spi& spi, std::uint8_t segment, DueCursor& cursor, TimestampTz now,
                 std::size_t most);
/// The first time after the cursor at which a job is due.
std::optional<TimestampTz> next_due(pg::Spi& spi, const DueCursor& cursor);

/// Takes a job out and returns it. Nothing if it is not there (any more), or if another transaction
/// has locked its row: the role of that transaction could make the caller wait for any time.
std::optional<Job> take_later(pg::Spi& spi, JobNumber id);
/// Changes a job that waits, and returns its old run_at; nothing in the same cases. The caller
/// notes the earlier run_at (news.hpp), because the mover may have passed over the row if the
/// change is rolled back.
std::optional<TimestampTz> change_later(pg::Spi& spi, JobNumber id,
                                        std::optional<TimestampTz> run_at,
                                        std::optional<std::int16_t> priority);

struct Hurried {
  std::size_t count = 0;
  JobNumber last = 0;        // the greatest number
  TimestampTz earliest = 0;  // of their old and new run_at
};
/// Makes failed jobs of these types due now, up to `most` of them by ascending number after
/// `after`; they count as not failed. Rows that are locked are skipped.
Hurried hurry_failed(pg::Spi& spi, const std::vector<std::int64_t>& types, JobNumber after,
                     TimestampTz now, std::size_t most);

}  // namespace metrics_refresh::store::queue
