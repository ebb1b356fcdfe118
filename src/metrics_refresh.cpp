// The entry point of the library: settings, shared memory, hooks and processes are registered here.
//
// The postmaster calls _PG_init() when it loads shared_preload_libraries. Shared memory and
// background workers can be registered only then. A session that loads the library later calls it
// as well, but gets only the SQL functions.
#include "extension/settings.hpp"
#include "hooks/ddl_watch.hpp"
#include "pg/guard.hpp"
#include "pg/maintenance.hpp"
#include "shmem/change_watch.hpp"
#include "shmem/queue/place.hpp"
#include "shmem/shmem.hpp"
#include "store/job_changes.hpp"
#include "store/queue/news.hpp"
#include "worker/launcher.hpp"

extern "C" {

PGDLLEXPORT const Pg_magic_struct* Pg_magic_func(void);
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void _PG_init(void) {
  metrics_refresh::pg::boundary([] {
    // In a session the functions of the library report that it is not preloaded.
    if (!process_shared_preload_libraries_in_progress) return;
    metrics_refresh::pg::call([] { metrics_refresh::settings::define(); });
    // During pg_upgrade and in single-user mode the library behaves as if it were not preloaded.
    if (metrics_refresh::pg::is_maintenance_mode()) return;
    metrics_refresh::shmem::request();
    metrics_refresh::shmem::queue::request();
    metrics_refresh::shmem::watch_changes();
    // The server calls the callbacks that were registered last first. Changes of job types are
    // counted before the jobs of the same transaction are posted.
    metrics_refresh::store::queue::watch_queue_transactions();
    metrics_refresh::store::watch_transactions();
    metrics_refresh::hooks::watch_ddl();
    metrics_refresh::worker::register_launcher();
  });
}
}
