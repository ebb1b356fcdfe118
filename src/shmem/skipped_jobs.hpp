// What became of the due times at which a job had nothing to do, since the server started: counted
// here and not in a table, so that a skip writes nothing. A restart forgets it; then every view is
// refreshed once.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::shmem {

struct SkippedTimes {
  std::int64_t skipped;       // due times
  TimestampTz fresh_at;       // when the view was last found fresh
  TimestampTz handled_until;  // the job's due times up to here are history
};

Size skipped_jobs_size();
/// REQUIRES: called in the server's startup hook.
void init_skipped_jobs();

/// Counts one more due time of a job of this database. False where there is no room: then the log
/// must tell.
bool note_skipped_job(std::int64_t job_id, TimestampTz fresh_at, TimestampTz handled_until);

struct SkippedJob {
  std::int64_t job_id;
  SkippedTimes times;
};
/// Those of this database. Empty where the library was not preloaded.
std::vector<SkippedJob> skipped_jobs();

/// The database or its extension is gone: job numbers begin anew. REQUIRES: the lock is held.
void forget_skipped_jobs_locked(Oid database) noexcept;

}  // namespace metrics_refresh::shmem
