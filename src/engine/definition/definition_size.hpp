// How large a definition may be. What takes a definition apart needs time that grows faster than
// its size, and plain views that read each other several times make a small one exponentially
// large.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

// In each count a plain view or a WITH query is in its place wherever it is read, and all of it
// counts again.

/// Relations that a definition of the strategies skip and incremental may read.
inline constexpr int kMaxReferences = 1'000;
/// Plain views above each other in it.
inline constexpr int kMaxViewDepth = 50;
/// Tables in one FROM of a definition that is kept by keys, and equalities of their columns.
inline constexpr int kMaxSources = 100;
inline constexpr int kMaxEqualities = 1'000;
/// Nodes of expressions that the output columns of such a definition come to.
inline constexpr int kMaxNodes = 100'000;
/// Relations that any definition may read: to plan more would hold the session for too long,
/// without a place at which it could be canceled.
inline constexpr int kMostReferences = 10'000;
/// Nodes of expressions that any definition may come to: a column that a plain view computes counts
/// again wherever it is read, as the planner puts it there, and so does what that view computes it
/// from. A subquery in an expression is planned by itself, and counts as more.
inline constexpr int kMostNodes = 100'000;
inline constexpr int kNodesOfSubquery = 100;

struct DefinitionSize {
  int references;  // kMostReferences + 1 stands for all that is more
  int view_depth;
  bool is_circular;  // plain views read each other; the server refuses to run that
  int nodes;         // kMostNodes + 1 stands for all that is more
};

/// With the policies of the tables, which may read anything. Takes time by the number of plain
/// views, not by how often they are read; locks them, and tables with policies, in AccessShareLock.
/// REQUIRES: inside pg::call(); `definition` is as stored, of the relation `view`.
DefinitionSize size_of(Query* definition, Oid view);

/// Why a definition is too large to be taken apart, in words that stand after a colon, or null.
/// REQUIRES: as size_of().
const char* why_too_large(Query* definition, Oid view);

/// Why it is too large to be refreshed at all, as a sentence, or null. REQUIRES: as size_of().
const char* why_not_refreshed(Query* definition, Oid view);

/// The references of a query's FROM, its subqueries' and WITH queries', those of plain views not
/// counted. REQUIRES: inside pg::call().
int count_references(Query* query);

}  // namespace metrics_refresh::engine
