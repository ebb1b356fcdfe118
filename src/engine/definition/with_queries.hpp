// Replaces references to WITH queries by subqueries of FROM. The derivation of keys needs them in
// that form. The planner does the same under the same conditions.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// Changes a SELECT and the subqueries of its FROM into one without WITH that means the same.
/// Returns null, or the reason why the planner computes one of the WITH queries separately, as
/// words that can follow a colon. REQUIRES: inside pg::call(); the query is not shared.
const char* inline_with_queries(Query* query);

}  // namespace metrics_refresh::engine
