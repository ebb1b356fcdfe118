// A refresh that the caller may ask for and must not do himself, for he lacks the rights of the
// view's owner: a worker does it in a session of the owner's, in a transaction of its own, and the
// caller waits for its end.
#pragma once

#include <string>

#include "api/runs/refresh_now.hpp"

namespace metrics_refresh::api {

/// Refreshes the view in a worker. Throws SqlError 55000 where no worker can run, 53400 where too
/// many callers wait already, of the same role or of all, 55P03 where the run has not begun within
/// the caller's lock_timeout. A canceled caller cancels the run. What goes wrong in the run is
/// logged and returned.
RefreshedNow refresh_in_worker(Oid view, engine::Requested requested);

/// The same of all views of a group, by a run of its job.
RefreshedNow refresh_group_in_worker(std::int64_t job_id);

}  // namespace metrics_refresh::api
