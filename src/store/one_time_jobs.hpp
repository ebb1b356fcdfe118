// Jobs that are made for one run, and removed with its end. Whoever may manage such a job may hold
// its row, or a request's, in a transaction that he does not end, so nothing here waits for one.
#pragma once

#include "store/runs.hpp"

namespace metrics_refresh::store {

/// The next number of a run.
std::int64_t next_run_id(pg::Spi& spi);

/// True where the run is requested or logged.
bool is_known_run(pg::Spi& spi, std::int64_t run_id);

/// Makes a job for one run of `owner`'s, named after its purpose and its number. Its number.
std::int64_t insert_one_time_job(pg::Spi& spi, const std::string& purpose, Oid owner,
                                 Columns columns);

/// Makes a job that refreshes the view once, as `owner`, who has rights over it. Its number.
std::int64_t insert_one_time_refresh(pg::Spi& spi, const std::string& schema,
                                     const std::string& view, Oid owner,
                                     const std::string& strategy);

/// Asks for the run of this number, unless the job is gone, or somebody holds its row who may be
/// about to remove it.
enum class Asked { kYes, kGone, kHeld };
Asked insert_numbered_request(pg::Spi& spi, std::int64_t run_id, std::int64_t job_id,
                              Oid requested_by);

/// Takes a request back that no worker has taken yet, and logs that. False where it is not there,
/// or where somebody else holds it: a worker that begins the run, or one who withdraws it, too.
bool withdraw_request(pg::Spi& spi, const Request& request, const JobRecord& job,
                      core::Instant now);

/// What became of a run, as the newest rows say it, whatever this transaction's snapshot sees.
struct KnownOutcome {
  bool is_queued = false;
  std::optional<Outcome> outcome;  // none: there is no row of it
  double duration_ms = 0;
};
KnownOutcome latest_outcome(pg::Spi& spi, std::int64_t run_id);

/// Removes a job that was made for one run, with its state. Waits for nobody: where somebody holds
/// it or a request of it, it stays for remove_finished_one_time_jobs().
void remove_one_time_job(pg::Spi& spi, std::int64_t job_id);

/// Removes those jobs of one run whose run is over.
void remove_finished_one_time_jobs(pg::Spi& spi);

}  // namespace metrics_refresh::store
