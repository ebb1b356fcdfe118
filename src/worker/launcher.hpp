// The launcher is one process in the cluster, without a database. It starts a scheduler for each
// database that needs one, a moment before the next due time of the database. If a scheduler died,
// it starts another one.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::worker {

/// Registers the launcher with the server. REQUIRES: called from _PG_init while
/// shared_preload_libraries is processed.
void register_launcher();

}  // namespace metrics_refresh::worker

extern "C" PGDLLEXPORT void mr_launcher_main(Datum);
