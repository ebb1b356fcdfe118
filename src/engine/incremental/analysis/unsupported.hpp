// The reasons for which a definition cannot be refreshed by keys. Each reason names the clause,
// function or table, and reads as the end of a sentence after a colon.
//
// REQUIRES for all functions: inside pg::call(). Texts are in the current memory context.
#pragma once

#include "engine/incremental/analysis/flat_query.hpp"

namespace metrics_refresh::engine {

/// Checks the clauses, functions and aggregates of any query of a definition, but not its tables.
/// Returns null if there is no reason. Comparisons with now() that time_comparison_of() finds are
/// allowed.
const char* reason_against_query(Query* query);

/// Checks a plain view or a subquery in FROM that is to be merged into the query around it.
const char* reason_against_subquery(Query* query);

/// Checks a table whose changes are to be captured.
const char* reason_against_source(const FlatSource* source);

/// If `node` compares a timestamptz column with an expression of now() and constants, returns that
/// expression, and sets `column`. Otherwise returns null. As time passes, such a comparison changes
/// its result only when the value of the column meets the value of the expression.
Node* time_comparison_of(Node* node, Var** column);

}  // namespace metrics_refresh::engine
