// Counts the background processes of the server, whose number is limited by max_worker_processes.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::extension {

struct BackgroundWorkers {
  int limit;     // max_worker_processes
  int ours;      // launcher, schedulers and workers
  int parallel;  // processes of parallel queries
  int others;    // processes of logical replication and other extensions
};

/// The counts at this moment, for all databases. The result does not depend on the current role.
BackgroundWorkers background_workers();

}  // namespace metrics_refresh::extension
