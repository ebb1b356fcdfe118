// Replaces references to WITH queries by subqueries.
//
// The planner does the same for a WITH query that is read once and not MATERIALIZED, or is NOT
// MATERIALIZED. The derivation of keys works on subqueries only. Example:
//   WITH w AS (SELECT a FROM t) SELECT * FROM w
//   becomes SELECT * FROM (SELECT a FROM t) w
#include "engine/definition/with_queries.hpp"

#include "engine/definition/definition_size.hpp"
#include "engine/definition/tree.hpp"

namespace metrics_refresh::engine {
namespace {

const char* reason_not_inlined(const CommonTableExpr* with) {
  if (with->cterecursive) return psprintf("its WITH query %s is recursive", with->ctename);
  if (with->ctematerialized == CTEMaterializeAlways)
    return psprintf("its WITH query %s is MATERIALIZED", with->ctename);
  if (with->cterefcount > 1 && with->ctematerialized == CTEMaterializeDefault)
    return psprintf("its WITH query %s is read more than once and not NOT MATERIALIZED",
                    with->ctename);
  return nullptr;
}

struct Place {
  const CommonTableExpr* with;
  Index level;  // number of queries between the one with the WITH and the current one
};

bool put_in_place(Node* node, void* context) {
  if (node == nullptr) return false;
  auto* const place = static_cast<Place*>(context);
  if (IsA(node, Query)) {
    ++place->level;
    (void)query_tree_walker(reinterpret_cast<Query*>(node), as_visitor(put_in_place), context,
                            QTW_EXAMINE_RTES_BEFORE);
    --place->level;
    return false;
  }
  if (!IsA(node, RangeTblEntry)) return walk_expression(node, put_in_place, context);
  auto* const entry = reinterpret_cast<RangeTblEntry*>(node);
  if (entry->rtekind != RTE_CTE || entry->ctelevelsup != place->level ||
      strcmp(entry->ctename, place->with->ctename) != 0)
    return false;
  Node* const query = static_cast<Node*>(copyObjectImpl(place->with->ctequery));
  // References of the WITH query to outer queries now cross more levels.
  IncrementVarSublevelsUp(query, static_cast<int>(place->level), 1);
  entry->rtekind = RTE_SUBQUERY;
  entry->subquery = reinterpret_cast<Query*>(query);
  return false;
}

bool inline_in_subqueries(Node* node, void* reason) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return walk_expression(node, inline_in_subqueries, reason);
  *static_cast<const char**>(reason) = inline_with_queries(reinterpret_cast<Query*>(node));
  return *static_cast<const char**>(reason) != nullptr;
}

}  // namespace

const char* inline_with_queries(Query* query) {
  ListCell* cell;
  foreach (cell, query->cteList) {
    const auto* with = lfirst_node(CommonTableExpr, cell);
    if (const char* reason = reason_not_inlined(with)) return reason;
    // Each reference gets a copy, so nested WITH queries can grow exponentially.
    const int64 copied =
        static_cast<int64>(count_references(reinterpret_cast<Query*>(with->ctequery))) *
        std::max(1, with->cterefcount);
    if (copied > kMaxReferences)
      return psprintf("its WITH query %s would be put into too many places", with->ctename);
    CHECK_FOR_INTERRUPTS();
    // The walk includes the following WITH queries, which may refer to this one.
    Place place = {with, 0};
    (void)query_tree_walker(query, as_visitor(put_in_place), &place, QTW_EXAMINE_RTES_BEFORE);
  }
  query->cteList = NIL;
  const char* reason = nullptr;
  (void)query_tree_walker(query, as_visitor(inline_in_subqueries), &reason, 0);
  return reason;
}

}  // namespace metrics_refresh::engine
