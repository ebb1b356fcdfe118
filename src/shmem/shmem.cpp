// Allocates the shared memory of the extension.
//
// One block holds the Area, then the databases, the worker slots, the change counters and the
// settings of the server, in this order. The sizes follow from settings that need a restart. The
// hash table of skipped jobs and the news of prepared transactions have blocks of their own.
#include "shmem/shmem.hpp"

#include "extension/settings.hpp"
#include "pg/maintenance.hpp"
#include "shmem/area.hpp"
#include "shmem/change_counters.hpp"
#include "shmem/prepared_news.hpp"
#include "shmem/server_settings.hpp"
#include "shmem/skipped_jobs.hpp"

namespace metrics_refresh::shmem {
namespace {

constexpr char kName[] = "metrics_refresh";

Area* shared = nullptr;
shmem_request_hook_type next_request_hook = nullptr;
shmem_startup_hook_type next_startup_hook = nullptr;

Size databases_offset() { return MAXALIGN(sizeof(Area)); }

Size slots_offset() {
  return databases_offset() +
         MAXALIGN(mul_size(sizeof(DatabaseEntry), static_cast<Size>(settings::max_databases())));
}

Size counters_offset() {
  return slots_offset() +
         MAXALIGN(mul_size(sizeof(WorkerSlot), static_cast<Size>(settings::max_workers())));
}

Size settings_offset() { return add_size(counters_offset(), MAXALIGN(change_counters_size())); }

Size total_size() { return add_size(settings_offset(), server_settings_size()); }

// Shared memory can be requested only in this hook, since PostgreSQL 15. The other hooks in the
// chain belong to libraries that were preloaded before.
void on_request() {
  if (next_request_hook != nullptr) next_request_hook();
  RequestAddinShmemSpace(
      add_size(total_size(), add_size(skipped_jobs_size(), prepared_news_size())));
  RequestNamedLWLockTranche(kName, 3);
}

// The server calls this outside pg::call(). It therefore uses plain data only, so that a longjmp
// skips no destructor. With EXEC_BACKEND every process calls it, and `found` is then true.
void on_startup() {
  if (next_startup_hook != nullptr) next_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found;
  char* memory = static_cast<char*>(ShmemInitStruct(kName, total_size(), &found));
  shared = reinterpret_cast<Area*>(memory);
  if (!found) {
    // Zeros mean a free entry, a free slot and no process in all parts of the area.
    memset(memory, 0, total_size());
    pg_atomic_init_u64(&shared->written_rows, 0);
    pg_atomic_init_u64(&shared->written_bytes, 0);
    pg_atomic_init_u64(&shared->type_changes, 0);
    pg_atomic_init_u32(&shared->wants_flush, 0);
    shared->lock = &GetNamedLWLockTranche(kName)->lock;
    ConditionVariableInit(&shared->run_ended);
    shared->max_databases = settings::max_databases();
    shared->max_workers = settings::max_workers();
    shared->databases = reinterpret_cast<DatabaseEntry*>(memory + databases_offset());
    shared->slots = reinterpret_cast<WorkerSlot*>(memory + slots_offset());
  }
  init_change_counters(memory + counters_offset(), &GetNamedLWLockTranche(kName)[1].lock, found);
  init_server_settings(memory + settings_offset(), found);
  init_skipped_jobs();
  init_prepared_news(&GetNamedLWLockTranche(kName)[2].lock);
  LWLockRelease(AddinShmemInitLock);
}

}  // namespace

void request() {
  next_request_hook = shmem_request_hook;
  shmem_request_hook = on_request;
  next_startup_hook = shmem_startup_hook;
  shmem_startup_hook = on_startup;
}

Area* area() noexcept { return shared; }

bool is_preloaded() noexcept { return shared != nullptr; }

void require_preloaded() {
  // These two cases come first, because the hint to change the configuration would be wrong.
  if (shared == nullptr && pg::is_maintenance_mode())
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       pg::is_single_user()
                           ? "metrics_refresh does not work in single-user mode"
                           : "metrics_refresh does not work in a server that pg_upgrade runs",
                       "Start the server as usual.");
  if (shared == nullptr)
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "metrics_refresh must be loaded via shared_preload_libraries",
                       "Add metrics_refresh to shared_preload_libraries in postgresql.conf and "
                       "restart the server.");
}

Area& required_area() {
  require_preloaded();
  return *shared;
}

WrittenJobs written_jobs() noexcept {
  if (shared == nullptr) return {};
  return {static_cast<std::int64_t>(pg_atomic_read_u64(&shared->written_rows)),
          static_cast<std::int64_t>(pg_atomic_read_u64(&shared->written_bytes))};
}

void count_written_job(std::int64_t bytes) noexcept {
  if (shared == nullptr) return;
  pg_atomic_fetch_add_u64(&shared->written_rows, 1);
  pg_atomic_fetch_add_u64(&shared->written_bytes, static_cast<std::uint64_t>(bytes));
}

std::uint64_t changes_of_types() noexcept {
  return shared == nullptr ? 0 : pg_atomic_read_u64(&shared->type_changes);
}

void count_change_of_types() noexcept {
  if (shared != nullptr) pg_atomic_fetch_add_u64(&shared->type_changes, 1);
}

// Without the lock. A latch that is not the launcher's any more is set for nothing; the next
// launcher looks for a request when it starts.
void ask_for_flush() noexcept {
  if (shared == nullptr) return;
  pg_atomic_write_u32(&shared->wants_flush, 1);
  PGPROC* const launcher = *const_cast<PGPROC* volatile*>(&shared->launcher);
  if (launcher != nullptr) SetLatch(&launcher->procLatch);
}

bool take_flush_request() noexcept {
  return pg_atomic_read_u32(&shared->wants_flush) != 0 &&
         pg_atomic_exchange_u32(&shared->wants_flush, 0) != 0;
}

void wake_launcher_locked() noexcept {
  if (shared->launcher != nullptr) SetLatch(&shared->launcher->procLatch);
}

}  // namespace metrics_refresh::shmem
