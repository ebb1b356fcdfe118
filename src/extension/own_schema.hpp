// The private schema and tables of the extension, and the rights over them, which callers do not
// have.
#pragma once

#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::extension {

/// The schema of the extension's tables and of its private objects. Only the extension has USAGE on
/// it.
inline constexpr char kInternalSchema[] = "metrics_refresh_internal";

/// Opens a table of that schema. Returns null if it does not exist: the database may lack the
/// extension, or it is being dropped.
/// REQUIRES: inside pg::call().
Relation open_own_table(const char* name, LOCKMODE mode);

/// Prevents DROP EXTENSION until the transaction ends. DROP EXTENSION locks the extension before
/// its tables, and the tables in any order. If this lock is taken first as well, there is no
/// deadlock. A session that waits here waits only for an owner of the extension, who drops it or
/// makes an object depend on it. Other roles are rejected before they get an exclusive lock
/// (hooks/rights_first.hpp).
void lock_extension();

/// Locks imports for the role until the transaction ends. Other transactions wait here.
void lock_imports(Oid role);

/// As as_extension(), without lock_extension(): for a `body` that only reads and must not wait.
template <typename Body>
void as_extension_without_lock(Body&& body) {
  pg::ActAs scope(BOOTSTRAP_SUPERUSERID);
  pg::with_own_sql([&body] {
    pg::Spi spi;
    body(spi);
  });
}

/// Runs `body(spi)` with the rights over the extension's own tables, which callers do not have.
/// REQUIRES: `body` runs only SQL of this extension, and no text or function of a caller.
template <typename Body>
void as_extension(Body&& body) {
  lock_extension();
  as_extension_without_lock(body);
}

/// The same for a `body` that only reads. Its locks are released at once: during a long refresh
/// DROP EXTENSION would otherwise wait for them.
template <typename Body>
void read_as_extension(Body&& body) {
  pg::in_discarded_subtransaction([&body] { as_extension(body); });
}

}  // namespace metrics_refresh::extension
