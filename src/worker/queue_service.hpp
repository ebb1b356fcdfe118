// The service of the queue, as a task of a worker.
#pragma once

#include "pg/sleeper.hpp"

namespace metrics_refresh::worker {

/// Performs queued jobs of the owner in this session. Then the worker exits: there was nothing to
/// do for metrics_refresh.worker_idle_timeout, or the session cannot go on.
void serve_queue(int slot, Oid owner, pg::Sleeper& sleeper);

}  // namespace metrics_refresh::worker
