// Shared memory, for code outside this folder. It is allocated when the server starts. The headers
// included here have the functions that access its parts. Further parts are change_watch.hpp,
// change_counters.hpp, prepared_news.hpp, server_settings.hpp, skipped_jobs.hpp and starving.hpp.
// Code outside this folder must not use its locks and condition variables. Therefore only this
// folder includes area.hpp, which declares them.
#pragma once

#include "pg/guard.hpp"
#include "shmem/databases.hpp"
#include "shmem/hand_overs.hpp"
#include "shmem/restores.hpp"
#include "shmem/waiting.hpp"
#include "shmem/worker_end.hpp"
#include "shmem/worker_slots.hpp"

namespace metrics_refresh::shmem {

/// Requests the memory from the server. REQUIRES: called once, from _PG_init, while
/// shared_preload_libraries is processed.
void request();

/// Returns false if the library was not preloaded, or if it must do nothing (pg/maintenance.hpp).
/// Then no other function of this folder may be called, unless its comment allows it.
bool is_preloaded() noexcept;

/// Throws SqlError 55000 with a hint unless is_preloaded().
void require_preloaded();

/// The number and size of rows of the table job that all sessions have written since the server
/// started. Rows of transactions that were rolled back count as well. Both are 0 if the library was
/// not preloaded.
struct WrittenJobs {
  std::int64_t rows;
  std::int64_t bytes;
};
WrittenJobs written_jobs() noexcept;
/// Counts one more row. Does nothing if the library was not preloaded.
void count_written_job(std::int64_t bytes) noexcept;

/// The number of commits, in all databases since the server started, that may have changed job
/// types. 0 if the library was not preloaded.
std::uint64_t changes_of_types() noexcept;
void count_change_of_types() noexcept;

/// Asks the launcher to flush the log, for a process that cannot do so now. May be called in a
/// signal handler.
void ask_for_flush() noexcept;
/// For the launcher: true once after that.
bool take_flush_request() noexcept;

}  // namespace metrics_refresh::shmem
