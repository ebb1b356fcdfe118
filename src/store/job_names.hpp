// Lookup of jobs by name. Names are unique for each owner, so one name can belong to several jobs.
// Privileges are not checked here; api/access.hpp selects the job that a caller means.
#pragma once

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// Identifies one of several jobs with the same name, and tells its owner.
struct JobKey : BoundView {
  std::int64_t id = 0;
  std::string owner;  // as stored in the table
};

/// All jobs with this name, by id. Jobs made for one run come last, because other jobs may take
/// their names.
std::vector<JobKey> jobs_named(pg::Spi& spi, const std::string& name);
/// All jobs that refresh a view with this name, with or without its schema, by id.
std::vector<JobKey> jobs_of_view(pg::Spi& spi, const std::string& view);
/// Names of jobs with a similar beginning or end, ordered by difference in length. At most 1000,
/// and only jobs that the current role may see.
std::vector<std::string> names_like(pg::Spi& spi, const std::string& name);
std::optional<JobKey> find_key(pg::Spi& spi, std::int64_t id);
/// The job with this name that the role owns. Jobs made for one run are not considered.
std::optional<JobRecord> find_job(pg::Spi& spi, const std::string& name, Oid owner);

/// Locks the job, if it exists, until the transaction ends.
void lock_job(pg::Spi& spi, std::int64_t id);
/// The same without waiting. False if another session has locked it, or if it is gone.
bool try_lock_job(pg::Spi& spi, std::int64_t id);

}  // namespace metrics_refresh::store
