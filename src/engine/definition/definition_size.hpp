// Limits of the size of a definition. The analysis of a definition takes time that grows faster
// than its size. Plain views that read each other several times make a small definition
// exponentially large.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

// Each reference to a plain view or a WITH query adds the whole size of it to every count.

/// Relations that a definition may read for the strategies skip and incremental.
inline constexpr int kMaxReferences = 1'000;
/// The longest chain of plain views that read each other.
inline constexpr int kMaxViewDepth = 50;
/// Tables in one FROM of a definition that is refreshed by keys, and equalities between their
/// columns.
inline constexpr int kMaxSources = 100;
inline constexpr int kMaxEqualities = 1'000;
/// Nodes of expressions in the output columns of such a definition.
inline constexpr int kMaxNodes = 100'000;
/// Relations that any definition may read. Planning more of them would take long, and planning
/// cannot be canceled.
inline constexpr int kMostReferences = 10'000;
/// Nodes of expressions that any definition may have after planning. A reference to a computed
/// column of a plain view counts as the whole expression, because the planner inserts it there.
/// Views below are included. A subquery in an expression is planned separately and counts as
/// kNodesOfSubquery.
inline constexpr int kMostNodes = 100'000;
inline constexpr int kNodesOfSubquery = 100;

struct DefinitionSize {
  int references;  // kMostReferences + 1 means any larger number
  int view_depth;
  bool is_circular;  // plain views read each other; the server refuses such a query
  int nodes;         // kMostNodes + 1 means any larger number
};

/// Includes the policies of the tables, which may read other relations. The time depends on the
/// number of plain views, not on the number of references to them. Locks plain views and tables
/// with policies in AccessShareLock. REQUIRES: inside pg::call(); `definition` is as stored, of the
/// relation `view`.
DefinitionSize size_of(Query* definition, Oid view);

/// The reason why a definition is too large for the analysis, as words that can follow a colon, or
/// null. REQUIRES: as size_of().
const char* reason_too_large(Query* definition, Oid view);

/// The reason why it is too large for any refresh, as a sentence, or null. REQUIRES: as size_of().
const char* reason_not_refreshed(Query* definition, Oid view);

/// The number of references in FROM of a query, its subqueries and its WITH queries. The queries of
/// plain views are not counted. REQUIRES: inside pg::call().
int count_references(Query* query);

}  // namespace metrics_refresh::engine
