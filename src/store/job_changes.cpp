// Collects the changes of a transaction that other processes must hear about, and posts them when
// it ends.
//
// The note_ functions only fill a static struct. The callbacks act on it. A commit posts the
// changes after the server has sent the invalidation messages of the transaction and released its
// locks. The processes that read the posts then see every change, also in their system caches. An
// abort forgets the changes, except that the scheduler reads the changed jobs again. PREPARE saves
// them in shared memory until the prepared transaction has ended, because another session may end
// it. They are posted too early if another session prepares a transaction while that commit is
// about to send its messages.
#include "store/job_changes.hpp"

#include <algorithm>

#include "shmem/prepared_news.hpp"
#include "shmem/queue/place.hpp"
#include "shmem/shmem.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::store {
namespace {

// Plain data: the callbacks below run at places where no exception may be thrown.
using News = shmem::TransactionNews;
News noted = {};
std::uint64_t own_type_changes = 0;  // and aborts, which may take back changes that were read
bool is_committed = false;  // the transaction has committed, and its news is not posted yet

void post_databases(const News& news) noexcept {
  if (news.all_databases) shmem::post_all_databases();
  for (int i = 0; i < news.database_count; ++i) {
    const shmem::NotedDatabase& database = news.databases[i];
    if (!database.dropped) {
      shmem::post_changes(database.oid, nullptr, 0);
      continue;
    }
    shmem::remove_database(database.oid);
    shmem::queue::forget(database.oid);
  }
}

void post_jobs(Oid database, const News& news) noexcept {
  // Leftovers need no details: the scheduler reads the table incremental_leftover when it wakes up.
  if (news.leftovers) shmem::wake_scheduler(database);
  if (news.job_types) {
    shmem::count_change_of_types();
    shmem::wake_scheduler(database);
  }
  if (news.all || news.count > 0)
    shmem::post_changes(database, news.all ? nullptr : news.jobs, news.count);
}

void post(Oid database, const News& news) noexcept {
  post_databases(news);
  post_jobs(database, news);
  if (news.roles != shmem::RoleNews::kNone) shmem::post_roles(news.roles);
}

bool has_noted() noexcept {
  return noted.leftovers || noted.all || noted.job_types || noted.roles != shmem::RoleNews::kNone ||
         noted.count > 0 || noted.database_count > 0 || noted.all_databases;
}

// If there is no room, the changes of prepared transactions that have ended are posted, which frees
// their entries.
void store_noted() {
  const TransactionId transaction = GetTopTransactionIdIfAny();
  if (shmem::store_prepared_news(transaction, MyDatabaseId, noted)) return;
  post_prepared();
  (void)shmem::store_prepared_news(transaction, MyDatabaseId, noted);
}

void on_transaction_end(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
      // An apply worker of logical replication ends prepared transactions without a utility
      // statement, so that no hook sees it.
      if (IsLogicalWorker()) post_prepared();
      break;
    case XACT_EVENT_COMMIT:
      is_committed = has_noted();
      break;
    case XACT_EVENT_ABORT:
      is_committed = false;
      invalidate_count();
      ++own_type_changes;
      // A worker may have skipped a request while this transaction was about to withdraw it. The
      // request is valid again, so the scheduler has to look at the jobs again.
      post_jobs(MyDatabaseId, noted);
      noted = {};
      break;
    case XACT_EVENT_PRE_PREPARE:
      // Posts the changes of prepared transactions that have ended, which frees their entries in
      // shared memory for this one.
      post_prepared();
      break;
    case XACT_EVENT_PREPARE:
      // Another session may roll this transaction back, and then the count would be too low.
      invalidate_count();
      if (has_noted()) store_noted();
      noted = {};
      break;
    default:
      break;
  }
}

void on_release(ResourceReleasePhase phase, bool, bool is_top_level, void*) {
  if (!is_committed || !is_top_level || phase != RESOURCE_RELEASE_AFTER_LOCKS) return;
  is_committed = false;
  post(MyDatabaseId, noted);
  noted = {};
}

void on_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  // Deleted jobs are back after the rollback, so that the cached count is too low. Collected
  // changes stay: to post too many of them is harmless.
  if (event != SUBXACT_EVENT_ABORT_SUB) return;
  invalidate_count();
  ++own_type_changes;
}

}  // namespace

void watch_transactions() {
  RegisterXactCallback(on_transaction_end, nullptr);
  RegisterSubXactCallback(on_subtransaction_end, nullptr);
  RegisterResourceReleaseCallback(on_release, nullptr);
}

void note_changed(std::int64_t job_id) {
  for (int i = 0; i < noted.count; ++i)
    if (noted.jobs[i] == job_id) return;
  // The array has a fixed size. Beyond it, the scheduler reads all jobs again.
  if (noted.count == shmem::kMaxPostedJobs)
    noted.all = true;
  else
    noted.jobs[noted.count++] = job_id;
}

// Without shared memory there is no scheduler to wake.
void note_leftovers() { noted.leftovers = shmem::is_preloaded(); }

void note_job_types() {
  if (!shmem::is_preloaded()) return;
  noted.job_types = true;
  // This session may read its own change before the commit.
  ++own_type_changes;
}

// Both numbers only grow, and so does their sum.
std::uint64_t job_types_version() noexcept { return shmem::changes_of_types() + own_type_changes; }

void note_all_changed() { noted.all = true; }

void note_roles(shmem::RoleNews news) {
  if (shmem::is_preloaded()) noted.roles = std::max(noted.roles, news);
}

void note_database(Oid database, bool dropped) {
  // The array has a fixed size, like all memory of prepared transactions. If there are more
  // databases, the launcher examines all of them.
  if (noted.database_count < shmem::kMaxNotedDatabases)
    noted.databases[noted.database_count++] = {database, dropped};
  else
    noted.all_databases = true;
}

void post_prepared() {
  shmem::PreparedNews ended;
  while (shmem::has_prepared_news() && shmem::take_prepared_news(&ended))
    post(ended.database, ended.news);
}

void record_prepared_transactions(pg::Spi& spi) {
  if (max_prepared_xacts == 0) return;
  const pg::Rows rows = spi.query(
      "SELECT transaction::text::int8 FROM pg_catalog.pg_prepared_xacts"
      " WHERE database = pg_catalog.current_database()");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto transaction = static_cast<TransactionId>(rows.get_int64(i, "transaction"));
    if (shmem::store_unknown_news(transaction, MyDatabaseId)) continue;
    // The entries of transactions that have ended become free.
    pg::call([] { post_prepared(); });
    (void)shmem::store_unknown_news(transaction, MyDatabaseId);
  }
  // Some of these transactions may have ended since the query.
  pg::call([] { post_prepared(); });
}

}  // namespace metrics_refresh::store
