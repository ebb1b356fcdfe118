// Unique keys of new jobs. A key is locked until the transaction ends, so that of two sessions that
// add a job with the same key at a time, the second one sees the job of the first. It waits only
// for an open transaction that adds such a job.
#pragma once

#include "api/queue/new_jobs.hpp"
#include "store/queue/find.hpp"

namespace metrics_refresh::api {

/// Locks the keys of the jobs, and marks those as duplicates whose key another job has. Their
/// number is that of the other job. A job of the same call counts as pending.
void find_duplicates(const NewJobOptions& options, NewJob* jobs, std::size_t count);

/// The bits of the states with these names. Throws SqlError 22023 for another word, and if there is
/// none.
std::uint16_t read_unique_states(Datum text_array);
/// The state in which a duplicate's first job is, as callers know it.
const char* unique_state_name(const NewJob& job);

}  // namespace metrics_refresh::api
