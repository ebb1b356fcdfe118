// Names that a refresh does not find because its search_path is fixed, although the search_path of
// the owner of the view finds them. This is the usual reason why a view fails here that core
// refreshed before PostgreSQL 17. Later versions of core fail as well.
#pragma once

#include <string>

#include "store/runs.hpp"

namespace metrics_refresh::engine {

/// The unqualified names in the statements that the search_path of the owner finds in a schema
/// other than pg_catalog. They are qualified and separated by ", ". Empty if there is none, or if
/// `sql` cannot be parsed. If `mentioned_in` is not empty, only the names that it contains count.
/// REQUIRES: a transaction.
std::string names_found_by_path(const std::string& sql, Oid owner, const std::string& mentioned_in);

/// If a statement of a function has failed because of such a name (42P01, 42883, 42704), adds a
/// hint with the name and the remedy. REQUIRES: a transaction.
void hint_at_missing_name(store::RunError& error, Oid owner);

}  // namespace metrics_refresh::engine
