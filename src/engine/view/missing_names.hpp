// Names that a refresh does not find, for its search_path is fixed, and that the owner of the view
// finds by his own: the usual reason why a view that core refreshed before PostgreSQL 17 fails here
// as it does there.
#pragma once

#include <string>

#include "store/runs.hpp"

namespace metrics_refresh::engine {

/// Each unqualified name of the statements that the owner's own search_path finds in another schema
/// than pg_catalog, qualified, with ", " between; empty where there is none, and where `sql` cannot
/// be read. Where `mentioned_in` is no empty text, only those that it mentions count. REQUIRES: a
/// transaction.
std::string names_found_by_path(const std::string& sql, Oid owner, const std::string& mentioned_in);

/// Where a function's statement has failed because of such a name (42P01, 42883, 42704), the hint
/// says so, and how to mend it. REQUIRES: a transaction.
void hint_at_missing_name(store::RunError& error, Oid owner);

}  // namespace metrics_refresh::engine
