// Rows of somebody's table, read by a query of ours. Whatever of his runs by it (predicates of
// indexes while it is planned, policies, expressions of columns) runs as he, in a
// security-restricted operation, and the settings that it leaves are taken back: what comes out are
// values.
#pragma once

#include <functional>
#include <string>

#include "pg/spi.hpp"

namespace metrics_refresh::pg {

/// Runs a SELECT as `owner`, with the settings of a dump, which makes texts of values that every
/// session reads alike, on a snapshot of this moment, and hands on the rows, some at a time:
/// `take` runs as the caller, with the caller's settings. REQUIRES: the query qualifies what it
/// names, calls functions of the server alone, and names first, in its FROM, `relation`. Throws
/// SqlError 55006 if it means another one by now, and PgError.
void read_as_owner(Oid owner, Oid relation, const std::string& sql,
                   const std::function<void(const Rows&)>& take);

/// The values of some rows as an array, in the current memory context. REQUIRES: at least one row,
/// and no NULL.
Param array_of(const Rows& rows, int column);

}  // namespace metrics_refresh::pg
