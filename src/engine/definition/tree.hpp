// The server's walkers of query trees, whose callbacks have a type of their own only from
// PostgreSQL 16 on.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

using TreeVisitor = bool (*)(Node*, void*);
using TreeMutator = Node* (*)(Node*, void*);

#if PG_VERSION_NUM >= 160000
inline TreeVisitor as_visitor(TreeVisitor visitor) { return visitor; }
inline TreeMutator as_mutator(TreeMutator mutator) { return mutator; }
#else
inline bool (*as_visitor(TreeVisitor visitor))() {
  return reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(visitor));
}
inline Node* (*as_mutator(TreeMutator mutator))() {
  return reinterpret_cast<Node* (*)()>(reinterpret_cast<void (*)()>(mutator));
}
#endif

inline bool walk_expression(Node* node, TreeVisitor visitor, void* context) {
  return expression_tree_walker(node, as_visitor(visitor), context);
}
inline Node* mutate_expression(Node* node, TreeMutator mutator, void* context) {
  return expression_tree_mutator(node, as_mutator(mutator), context);
}
/// All expressions of the query itself; not the queries of its FROM.
inline bool walk_query(Query* query, TreeVisitor visitor, void* context) {
  return query_tree_walker(query, as_visitor(visitor), context, QTW_IGNORE_RT_SUBQUERIES);
}

}  // namespace metrics_refresh::engine
