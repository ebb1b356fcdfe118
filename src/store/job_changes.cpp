#include "store/job_changes.hpp"

#include "shmem/area.hpp"

namespace metrics_refresh::store {
namespace {

constexpr int kMaxNotedDatabases = 16;

struct NotedDatabase {
  Oid oid;
  bool dropped;
};

// Plain data: the callback below runs where no exception may fly.
struct Noted {
  bool leftovers;
  bool all;
  bool roles;
  bool renamed_roles;
  int count;
  std::int64_t jobs[shmem::kMaxPostedJobs];
  int database_count;
  NotedDatabase databases[kMaxNotedDatabases];
};
Noted noted = {};

void post_databases() noexcept {
  for (int i = 0; i < noted.database_count; ++i) {
    if (noted.databases[i].dropped)
      shmem::remove_database(noted.databases[i].oid);
    else
      shmem::post_changes(noted.databases[i].oid, nullptr, 0);
  }
}

// No job has this number: it wakes the scheduler, which then looks at everything that is left over.
constexpr std::int64_t kNoJob = 0;

void post_jobs() noexcept {
  if (noted.leftovers) shmem::post_changes(MyDatabaseId, &kNoJob, 1);
  if (noted.all || noted.count > 0)
    shmem::post_changes(MyDatabaseId, noted.all ? nullptr : noted.jobs, noted.count);
}

void on_transaction_end(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_COMMIT:
      post_databases();
      post_jobs();
      if (noted.roles) shmem::post_roles(noted.renamed_roles);
      noted = {};
      break;
    case XACT_EVENT_ABORT:
      post_jobs();  // a worker may have passed over a request that was being withdrawn
      noted = {};
      break;
    case XACT_EVENT_PRE_PREPARE:
      // Another backend will commit it, and would not know whom to tell.
      if (noted.all || noted.count > 0)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot PREPARE a transaction that changed jobs of metrics_refresh"));
      if (noted.roles)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot PREPARE a transaction that renamed or dropped roles"),
                errdetail("The jobs of metrics_refresh follow their owners when it commits."));
      break;
    case XACT_EVENT_PREPARE:
      noted = {};  // whatever is left over the scheduler finds when it is next told of anything
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

void note_leftovers() { noted.leftovers = shmem::area() != nullptr; }

void note_all_changed() { noted.all = true; }

void note_roles(bool renamed) {
  noted.roles = shmem::area() != nullptr;
  noted.renamed_roles = noted.renamed_roles || renamed;
}

void note_database(Oid database, bool dropped) {
  if (noted.database_count < kMaxNotedDatabases)
    noted.databases[noted.database_count++] = {database, dropped};
}

}  // namespace metrics_refresh::store
