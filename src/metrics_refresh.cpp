// Where the server meets the extension: settings, shared memory and processes are hooked in here.
#include "extension/settings.hpp"
#include "hooks/ddl_watch.hpp"
#include "pg/guard.hpp"
#include "pg/upkeep.hpp"
#include "shmem/change_watch.hpp"
#include "shmem/shmem.hpp"
#include "store/job_changes.hpp"
#include "worker/launcher.hpp"

extern "C" {

PGDLLEXPORT const Pg_magic_struct* Pg_magic_func(void);
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void _PG_init(void) {
  metrics_refresh::pg::boundary([] {
    // Loaded by a session, the library offers its functions, which say what is missing.
    if (!process_shared_preload_libraries_in_progress) return;
    metrics_refresh::pg::call([] { metrics_refresh::settings::define(); });
    // No process, no shared memory, no hook: there it is as if the library were not preloaded.
    if (metrics_refresh::pg::is_upkeep()) return;
    metrics_refresh::shmem::request();
    metrics_refresh::shmem::watch_changes();
    metrics_refresh::store::watch_transactions();
    metrics_refresh::hooks::watch_ddl();
    metrics_refresh::worker::register_launcher();
  });
}
}
