// WITH queries, put where they are read: for the derivation of keys they are subqueries of FROM,
// and so they are to the planner, under the same conditions.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// Changes a SELECT, with the subqueries of its FROM, into one without WITH that means the same.
/// Returns null, or why the planner computes one of the WITH queries by itself and whole, in words
/// that stand after a colon.
/// REQUIRES: inside pg::call(); nobody else has the query.
const char* inline_with_queries(Query* query);

}  // namespace metrics_refresh::engine
