// Jobs that are made for one run and deleted when it ends. A role that may manage such a job can
// hold its row, or the row of a request, for any length of time. Thus nothing here waits for a
// lock.
#pragma once

#include "store/runs.hpp"

namespace metrics_refresh::store {

/// The next run number.
std::int64_t next_run_id(pg::Spi& spi);

/// True if the run is requested or logged.
bool is_known_run(pg::Spi& spi, std::int64_t run_id);

/// Makes a job for one run that belongs to `owner`. The name consists of the purpose and the
/// number. Returns the number.
std::int64_t insert_one_time_job(pg::Spi& spi, const std::string& purpose, Oid owner,
                                 Columns columns);

/// Makes a job that refreshes the view once as `owner`, which has rights over it. Returns the
/// number.
std::int64_t insert_one_time_refresh(pg::Spi& spi, const std::string& schema,
                                     const std::string& view, Oid owner, Strategy strategy);

/// Requests a run with this number. kGone: the job does not exist. kHeld: another session holds its
/// row and may be about to delete it.
enum class RequestResult { kYes, kGone, kHeld };
RequestResult insert_numbered_request(pg::Spi& spi, std::int64_t run_id, std::int64_t job_id,
                                      Oid requested_by);

/// Withdraws a request that no worker has taken yet, and logs that. False if the request is gone,
/// or if another session holds it: a worker that begins the run, or a session that withdraws it
/// too.
bool withdraw_request(pg::Spi& spi, const Request& request, const JobRecord& job,
                      core::Instant now);

/// The state of a run in the newest rows, independent of the transaction's snapshot.
struct KnownOutcome {
  bool is_queued = false;
  std::optional<Outcome> outcome;  // none: the run has no row
  double duration_ms = 0;
};
KnownOutcome latest_outcome(pg::Spi& spi, std::int64_t run_id);

/// Deletes a job made for one run, with its state. Does not wait: if another session holds the job
/// or one of its requests, remove_finished_one_time_jobs() deletes it later.
void remove_one_time_job(pg::Spi& spi, std::int64_t job_id);

/// Deletes the jobs made for one run whose run is over.
void remove_finished_one_time_jobs(pg::Spi& spi);

}  // namespace metrics_refresh::store
