// The launcher: one per cluster, connected to no database. It starts a scheduler for each database
// that needs one, a little before the database's next due time, and again where one has died.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::worker {

/// Registers the launcher with the server. REQUIRES: called from _PG_init while
/// shared_preload_libraries is processed.
void register_launcher();

}  // namespace metrics_refresh::worker

extern "C" PGDLLEXPORT void mr_launcher_main(Datum);
