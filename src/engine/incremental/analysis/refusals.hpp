// What keeps a definition from being refreshed by keys, in words that complete "…, for" or stand
// after a colon: the exact clause, function or table.
//
// REQUIRES of all: inside pg::call(). Texts are in the current memory context.
#pragma once

#include "engine/incremental/analysis/flat_query.hpp"

namespace metrics_refresh::engine {

/// Of any query of a definition, not of what it is made of: clauses, functions and aggregates. Null
/// where nothing is in the way. Comparisons with now() that edges_of() finds are not.
const char* why_not_kept(Query* query);

/// Of a plain view or a subquery in FROM that is to be put into the query around it.
const char* why_not_simple(Query* query);

/// Of a table whose changes are to be captured.
const char* why_not_captured(const FlatSource* source);

/// `node` is a comparison of a timestamptz column with an expression of now() and constants:
/// returns that expression, and the column in `column`; else null. The row's part in the view
/// changes by time alone only when its value meets the expression's.
Node* edge_of(Node* node, Var** column);

}  // namespace metrics_refresh::engine
