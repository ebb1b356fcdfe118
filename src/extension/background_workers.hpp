// Who has the server's background processes, of which there are max_worker_processes.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::extension {

struct BackgroundWorkers {
  int limit;     // max_worker_processes
  int ours;      // launcher, schedulers and workers
  int parallel;  // of parallel queries
  int others;    // logical replication's and those of other extensions
};

/// As they are at this moment, in all databases; whoever asks.
BackgroundWorkers background_workers();

}  // namespace metrics_refresh::extension
