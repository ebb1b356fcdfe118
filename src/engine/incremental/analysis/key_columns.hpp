// Finds the output columns that can be computed from a row of a table, and the columns that join
// two tables. key_derivation.cpp calls it with a query that flat_query.hpp has flattened.
//
// REQUIRES for all functions: inside pg::call(). Results are in the current memory context.
#pragma once

#include "engine/incremental/analysis/flat_query.hpp"
#include "engine/incremental/analysis/key_derivation.hpp"

namespace metrics_refresh::engine {

FlatSource* source_at(const FlatQuery* flat, int number);

/// Returns the output columns that can be computed from a row of the source, as a List of
/// KeyColumn* with at most kMaxKeyColumns members. If `only_grouped` is set, only grouping
/// expressions count.
List* key_columns(FlatQuery* flat, int number, bool only_grouped);

/// Returns the smallest subset of `keys` that has a unique index in the table, or NIL.
List* unique_columns(List* keys, Oid table);

/// Returns the equalities between columns of two sources that hold if a row of `from` takes part in
/// the result: a List of JoinColumn* with at most kMaxKeyColumns members.
List* joins_between(FlatQuery* flat, int from, int to);

}  // namespace metrics_refresh::engine
