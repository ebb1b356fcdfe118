// The server's walkers of query trees.
#pragma once

#include "pg/compat_query.hpp"

namespace metrics_refresh::engine {

using pg::as_mutator;
using pg::as_visitor;
using pg::TreeMutator;
using pg::TreeVisitor;

inline bool walk_expression(Node* node, TreeVisitor visitor, void* context) {
  return expression_tree_walker(node, as_visitor(visitor), context);
}
inline Node* mutate_expression(Node* node, TreeMutator mutator, void* context) {
  return expression_tree_mutator(node, as_mutator(mutator), context);
}
/// Visits all expressions of the query itself, but not the queries in its FROM.
inline bool walk_query(Query* query, TreeVisitor visitor, void* context) {
  return query_tree_walker(query, as_visitor(visitor), context, QTW_IGNORE_RT_SUBQUERIES);
}

}  // namespace metrics_refresh::engine
