// Jobs that were made for one run: how they are removed with its end. Whoever may manage such a job
// may hold its row, or a request's, in a transaction that he does not end, so nothing here waits.
#pragma once

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// Removes a job that was made for one run, with its state. Waits for nobody: where somebody holds
/// it or a request of it, it stays for remove_finished_one_time_jobs().
void remove_one_time_job(pg::Spi& spi, std::int64_t job_id);

/// Removes those jobs of one run whose run is over.
void remove_finished_one_time_jobs(pg::Spi& spi);

}  // namespace metrics_refresh::store
