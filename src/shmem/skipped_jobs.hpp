// Counts the due times at which a job had nothing to do, since the server started. The counts are
// in memory and not in a table, so that a skip writes nothing to disk. They are lost by a restart.
// After a restart every view is refreshed once.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

struct SkippedTimes {
  std::int64_t skipped;       // number of due times
  TimestampTz fresh_at;       // when the view was last found fresh
  TimestampTz handled_until;  // due times of the job up to this time are handled
};

Size skipped_jobs_size();
/// REQUIRES: called in the server's startup hook.
void init_skipped_jobs();

/// Counts one more due time of a job of this database. Returns false if there is no room. Then the
/// caller must write the skip to the log.
bool count_skipped_job(std::int64_t job_id, TimestampTz fresh_at, TimestampTz handled_until);

struct SkippedJob {
  std::int64_t job_id;
  SkippedTimes times;
};
/// The jobs of this database. Empty if the library was not preloaded.
std::vector<SkippedJob> skipped_jobs();

/// Removes the jobs of a database that was dropped or has no extension any more. A new extension
/// uses the same job numbers again. REQUIRES: the lock is held.
void forget_skipped_jobs_locked(Oid database) noexcept;

}  // namespace metrics_refresh::shmem
