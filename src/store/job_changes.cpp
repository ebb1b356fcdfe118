#include "store/job_changes.hpp"

#include "shmem/area.hpp"

namespace metrics_refresh::store {
namespace {

// Plain data: the callback below runs where no exception may fly.
struct Noted {
  bool all;
  int count;
  std::int64_t jobs[shmem::kMaxPostedJobs];
  Oid database;  // created, altered or dropped
  bool dropped;
};
Noted noted = {};

void on_transaction_end(XactEvent event, void*) {
  if (!noted.all && noted.count == 0 && !OidIsValid(noted.database)) return;
  switch (event) {
    case XACT_EVENT_ABORT:  // a worker may have passed over a request that was being withdrawn
    case XACT_EVENT_COMMIT:
      if (OidIsValid(noted.database)) {
        if (noted.dropped && event == XACT_EVENT_COMMIT)
          shmem::remove_database(noted.database);
        else
          shmem::post_changes(noted.database, nullptr, 0);
      }
      if (noted.all || noted.count > 0)
        shmem::post_changes(MyDatabaseId, noted.all ? nullptr : noted.jobs, noted.count);
      noted = {};
      break;
    case XACT_EVENT_PRE_PREPARE:
      // Another backend will commit it, and would not know whom to tell.
      ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
              errmsg("cannot PREPARE a transaction that changed jobs of metrics_refresh"));
      break;
    default:
      break;
  }
}

}  // namespace

void watch_transactions() { RegisterXactCallback(on_transaction_end, nullptr); }

void note_changed(std::int64_t job_id) {
  for (int i = 0; i < noted.count; ++i)
    if (noted.jobs[i] == job_id) return;
  if (noted.count == shmem::kMaxPostedJobs)
    noted.all = true;
  else
    noted.jobs[noted.count++] = job_id;
}

void note_all_changed() { noted.all = true; }

void note_database(Oid database, bool dropped) {
  noted.database = database;
  noted.dropped = dropped;
}

}  // namespace metrics_refresh::store
