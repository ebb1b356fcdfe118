// Which columns tell what: the search behind key_derivation.hpp, over a query that flat_query.hpp
// has taken apart.
//
// REQUIRES of all: inside pg::call(). Results are in the current memory context.
#pragma once

#include "engine/incremental/analysis/flat_query.hpp"
#include "engine/incremental/analysis/key_derivation.hpp"

namespace metrics_refresh::engine {

FlatSource* source_at(const FlatQuery* flat, int number);

/// The output columns that a row of the source tells, as List of KeyColumn*, no more than
/// kMaxKeyColumns; of grouping expressions only, or of all that are the same within a group.
List* key_columns(FlatQuery* flat, int number, bool only_grouped);

/// Those of them that are unique in the table already, the fewest; or NIL.
List* unique_columns(List* keys, Oid table);

/// Equalities between columns of two sources, wherever a row of the first takes part; List of
/// JoinColumn*, no more than kMaxKeyColumns.
List* joins_between(FlatQuery* flat, int from, int to);

}  // namespace metrics_refresh::engine
