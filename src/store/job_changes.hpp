// Tells the scheduler, when this transaction ends and not before, which jobs it changed.
#pragma once

#include <cstdint>

#include "pg/postgres.hpp"

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

}  // namespace metrics_refresh::store
