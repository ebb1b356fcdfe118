// Tells the scheduler, when this transaction ends and not before, which jobs it changed. Where it
// is prepared, whoever commits it tells (shmem/prepared_news.hpp).
#pragma once

#include <cstdint>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

/// REQUIRES: called once, from _PG_init.
void watch_transactions();

/// Remembers a changed job until the transaction ends, and posts it then.
/// REQUIRES: the library was preloaded.
void note_changed(std::int64_t job_id);

/// The same for every job of the database: after TRUNCATE or DROP EXTENSION.
void note_all_changed();

/// The transaction leaves something over of an incremental view (store/incremental.hpp).
void note_leftovers();

/// The transaction renames or drops roles: the schedulers of all databases look whose jobs that
/// concerns. After a drop they need not hurry: jobs of a role that is gone do not run.
void note_roles(bool renamed);

/// Has a database looked into that this transaction created or altered: a copy of a template may
/// have the extension, or forgotten, for it was dropped.
void note_database(Oid database, bool dropped);

/// A prepared transaction may just have ended: posts what it has changed. REQUIRES: inside
/// pg::call(), or in a callback of the server that may raise.
void post_prepared();

/// Notes the prepared transactions of this database that are older than this start of the server.
void note_prepared(pg::Spi& spi);

}  // namespace metrics_refresh::store
