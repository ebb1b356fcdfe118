// Notes that a database has starving owners: they have runs that wait, and none under way in the
// cluster. As long as its scheduler posts this, the schedulers of other databases leave free
// workers to owners without a run (core/scheduler/ready_runs.hpp).
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// Posts it for the database. The note expires after a few seconds.
void post_starving(Oid database);

/// True if the scheduler of another database has posted it.
bool starves_elsewhere(Oid database);

}  // namespace metrics_refresh::shmem
