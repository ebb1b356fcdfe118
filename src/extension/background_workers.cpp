#include "extension/background_workers.hpp"

#include "pg/compat.hpp"

namespace metrics_refresh::extension {
namespace {

bool starts_with(const char* text, const char* prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

void add(BackgroundWorkers& workers, const PgBackendStatus& status) {
  if (status.st_procpid == 0 || status.st_backendType != B_BG_WORKER) return;
  // Null if the worker has just ended.
  const char* const type = GetBackgroundWorkerTypeByPid(status.st_procpid);
  if (type == nullptr) return;
  if (starts_with(type, "metrics_refresh "))
    ++workers.ours;
  else if (strcmp(type, "parallel worker") == 0)
    ++workers.parallel;
  else
    ++workers.others;
}

}  // namespace

BackgroundWorkers background_workers() {
  return pg::call([] {
    BackgroundWorkers workers = {};
    workers.limit = max_worker_processes;
    // The list of backends is read without privilege checks, so the result does not depend on the
    // role.
    const int count = pgstat_fetch_stat_numbackends();
    for (int number = 1; number <= count; ++number)
      if (const PgBackendStatus* const status = pg::status_at(number)) add(workers, *status);
    return workers;
  });
}

}  // namespace metrics_refresh::extension
