// Reads the rows of another role's table. The query may run code of the owner: predicates of
// indexes during planning, policies, and expressions of columns. It runs as the owner, in a
// security-restricted operation. Settings that it changes are restored. The result consists of
// values.
#pragma once

#include <functional>
#include <string>

#include "pg/spi.hpp"

namespace metrics_refresh::pg {

/// Runs a SELECT as `owner` with a new snapshot, and passes the rows to `consume` in batches. The
/// settings are those of a dump, so that texts of values do not depend on the session. `consume`
/// runs as the caller, with the caller's settings. REQUIRES: the query contains only qualified
/// names, calls only functions of the server, and `relation` is the first relation in its FROM.
/// Throws SqlError 55006 if that name means another relation by now, and PgError.
void read_as_owner(Oid owner, Oid relation, const std::string& sql,
                   const std::function<void(const Rows&)>& consume);

/// The values of a column as an array in the current memory context. REQUIRES: at least one row,
/// and no NULL.
Param array_of(const Rows& rows, const char* column);

}  // namespace metrics_refresh::pg
