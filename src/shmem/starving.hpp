// That owners without a run wait in a database for a worker of the cluster: as long as its
// scheduler says so, the others leave what gets free to owners who have none
// (core/scheduler/ready_runs.hpp).
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// Says so for the next seconds.
void post_starving(Oid database);

/// True where another database's scheduler has said so.
bool starves_elsewhere(Oid database);

}  // namespace metrics_refresh::shmem
