// A refresh that the caller may request but must not perform, because it lacks the rights of the
// view's owner. A worker performs it in a session of the owner and in a transaction of its own. The
// caller waits for the end.
#pragma once

#include <string>

#include "api/runs/refresh_now.hpp"

namespace metrics_refresh::api {

/// Refreshes the view in a worker. Throws SqlError 55000 if no worker can run, and 53400 if too
/// many callers of the same role or of all roles wait already. Throws 55P03 if the run has not
/// begun within the caller's lock_timeout. If the caller is canceled, so is the run. An error of
/// the run is logged and returned.
RefreshedNow refresh_in_worker(Oid view, store::Strategy strategy);

/// The same for all views of a group, as a run of its job.
RefreshedNow refresh_group_in_worker(std::int64_t job_id);

}  // namespace metrics_refresh::api
