// The extension's own schema and tables, and the right to them: callers have none.
#pragma once

#include "pg/identity.hpp"

namespace metrics_refresh::extension {

/// The schema of the extension's tables, and of what it makes beside them. Only the extension has
/// USAGE on it.
inline constexpr char kInternalSchema[] = "metrics_refresh_internal";

/// Opens a table of that schema. Returns null if it does not exist: the database may lack the
/// extension, or it is being dropped.
/// REQUIRES: inside pg::call().
Relation open_own_table(const char* name, LOCKMODE mode);

/// Holds off DROP EXTENSION until the transaction ends. It locks the extension itself before any of
/// its tables, in an order of the server's choosing: whoever has done the same before touching them
/// cannot meet it half-way, in a deadlock. Who waits here waits for an owner of the extension, who
/// drops it or makes something depend on it: nobody else gets to the exclusive lock, for he is
/// refused before (hooks/rights_first.hpp).
void keep_extension();

/// Until the transaction ends, no other one gets beyond this for the same role.
void lock_imports(Oid role);

/// Runs `body` with the rights over the extension's own tables, which callers do not have.
/// REQUIRES: `body` runs our own SQL only, never a caller's text or function.
template <typename Body>
void as_extension(Body&& body) {
  keep_extension();
  pg::ActAs scope(BOOTSTRAP_SUPERUSERID);
  pg::with_own_sql(body);
}

}  // namespace metrics_refresh::extension
