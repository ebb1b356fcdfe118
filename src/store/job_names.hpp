// What a job's name leads to. Names are unique for each owner, so one name may lead to several
// jobs. Nothing here checks a privilege; api/access.hpp says which of them a caller means.
#pragma once

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// What tells a job from others of its name, and who may manage it.
struct JobKey : BoundView {
  std::int64_t id = 0;
  std::string owner;  // as the table has it
};

/// All jobs of this name, by id; those that are made for one run last, for their names are free for
/// others.
std::vector<JobKey> jobs_named(pg::Spi& spi, const std::string& name);
/// All refreshes of a view of this name, with its schema or without, by id.
std::vector<JobKey> jobs_of_view(pg::Spi& spi, const std::string& view);
/// Names of jobs that begin or end as this one does, the nearest in length first; at most 1000 of
/// those that the current role may see.
std::vector<std::string> names_like(pg::Spi& spi, const std::string& name);
std::optional<JobKey> find_key(pg::Spi& spi, std::int64_t id);
/// The job of this name that the role owns, but for those that are made for one run.
std::optional<JobRecord> find_job(pg::Spi& spi, const std::string& name, Oid owner);

/// Keeps the job, where it exists, as it is until the transaction ends.
void lock_job(pg::Spi& spi, std::int64_t id);
/// The same without waiting. False where another session has it, or it is gone.
bool try_lock_job(pg::Spi& spi, std::int64_t id);

}  // namespace metrics_refresh::store
