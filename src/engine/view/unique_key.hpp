// Derives from a view's definition which of its columns are unique, to propose the index that
// REFRESH … CONCURRENTLY needs.
#pragma once

#include <string>

#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

/// A CREATE UNIQUE INDEX statement that holds for whatever the base tables contain, or empty where
/// none follows from the definition. Sound rules only: an ungrouped aggregate has one row; GROUP BY
/// columns and SELECT DISTINCT outputs are unique; so is the primary key of a single table.
/// Waits for no lock: where the view or its table is held exclusively, nothing is proposed now.
std::string propose_unique_index(const View& view);

}  // namespace metrics_refresh::engine
