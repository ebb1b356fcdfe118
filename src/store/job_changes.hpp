// Tells the scheduler at the end of the transaction, and not earlier, which jobs it changed. If the
// transaction is prepared, the session that commits it tells the scheduler
// (shmem/prepared_news.hpp).
#pragma once

#include <cstdint>

#include "pg/spi.hpp"
#include "shmem/databases.hpp"

namespace metrics_refresh::store {

/// REQUIRES: called once, from _PG_init.
void watch_transactions();

/// Remembers a changed job and posts it when the transaction ends. REQUIRES: the library was
/// preloaded.
void note_changed(std::int64_t job_id);

/// The same for all jobs of the database, after TRUNCATE or DROP EXTENSION.
void note_all_changed();

/// The transaction leaves delta tables or triggers of an incremental view behind
/// (store/incremental.hpp).
void note_leftovers();

/// The transaction changes job types, or functions that may run their jobs.
void note_job_types();

/// A number that has changed if a job type may differ from what this session has read before. It
/// also changes if a transaction of this session is rolled back.
std::uint64_t job_types_version() noexcept;

/// The transaction renames or drops roles, or changes their rights. The schedulers of all databases
/// then check the owners of their jobs. There is no hurry after a drop, because jobs of a dropped
/// role do not run.
void note_roles(shmem::RoleNews news);

/// The transaction created, altered or dropped this database. A new database is examined, because a
/// copy of a template may have the extension. A dropped database is forgotten.
void note_database(Oid database, bool dropped);

/// Posts the changes of prepared transactions that have ended. REQUIRES: inside pg::call(), or in a
/// server callback that may raise.
void post_prepared();

/// Records the prepared transactions of this database that are older than this start of the server.
void record_prepared_transactions(pg::Spi& spi);

}  // namespace metrics_refresh::store
