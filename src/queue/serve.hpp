// The service of the queue by a worker, for one owner: it performs ready jobs of the owner until
// there are none for metrics_refresh.worker_idle_timeout, or until it has to leave.
#pragma once

#include "pg/sleeper.hpp"
#include "queue/worker_session.hpp"

namespace metrics_refresh::queue {

/// Serves. `worker` is the index of the slot; the session is one of `owner`. The session cannot
/// serve any further after it. REQUIRES: no transaction.
void serve(int worker, Oid owner, WorkerSession& session, pg::Sleeper& sleeper);

/// For the callback at the exit of the process that was registered last, so that it comes before
/// the abort of the transaction.
void end_at_exit() noexcept;

}  // namespace metrics_refresh::queue
