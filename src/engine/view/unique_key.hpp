// Derives unique columns from the definition of a view, to propose the index that REFRESH ...
// CONCURRENTLY needs.
#pragma once

#include <string>

#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

/// A CREATE UNIQUE INDEX statement that is valid for any contents of the base tables, or empty if
/// the definition implies none. The rules are: an aggregate without GROUP BY has one row; columns
/// of GROUP BY and of SELECT DISTINCT are unique; so is the primary key of a single table. Waits
/// for no lock: if the view or its table is locked exclusively, nothing is proposed.
std::string propose_unique_index(const View& view);

}  // namespace metrics_refresh::engine
