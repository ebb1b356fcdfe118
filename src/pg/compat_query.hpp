// Query trees: differences between the versions of the server in privileges, node types, and the
// callbacks of tree walkers. REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

using TreeVisitor = bool (*)(Node*, void*);
using TreeMutator = Node* (*)(Node*, void*);

// The callbacks have types of their own since PostgreSQL 16.
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

/// The node with the privileges that a query needs on a table. Null before PostgreSQL 16, when the
/// range table entry contained them.
inline Node* permission_of([[maybe_unused]] const Query* query,
                           [[maybe_unused]] RangeTblEntry* entry) {
#if PG_VERSION_NUM >= 160000
  if (entry->perminfoindex != 0)
    return reinterpret_cast<Node*>(getRTEPermissionInfo(query->rteperminfos, entry));
#endif
  return nullptr;
}

/// Gives a query with one table such a node of another query, or none.
inline void set_permission([[maybe_unused]] Query* query, [[maybe_unused]] RangeTblEntry* entry,
                           [[maybe_unused]] const Node* permission) {
#if PG_VERSION_NUM >= 160000
  entry->perminfoindex = 0;
  if (permission == nullptr) return;
  query->rteperminfos = list_make1(copyObjectImpl(permission));
  entry->perminfoindex = 1;
#endif
}

/// Requires a privilege on a table that was just added to the query. If `privilege` is 0, none is
/// required, but the planner expects the node nevertheless.
inline void ask_for([[maybe_unused]] Query* query, RangeTblEntry* entry, AclMode privilege) {
#if PG_VERSION_NUM >= 160000
  addRTEPermissionInfo(&query->rteperminfos, entry)->requiredPerms = privilege;
#else
  entry->requiredPerms = privilege;
#endif
}

/// The role whose privileges on a table are checked, or InvalidOid for the current user.
inline Oid permission_role([[maybe_unused]] const RangeTblEntry* entry,
                           [[maybe_unused]] const Node* permission) {
#if PG_VERSION_NUM >= 160000
  const auto* const info = reinterpret_cast<const RTEPermissionInfo*>(permission);
  return info != nullptr ? info->checkAsUser : InvalidOid;
#else
  return entry->checkAsUser;
#endif
}

/// Replaces references to grouped and joined columns by the expressions behind them.
inline Node* flatten_aliases(Query* query, Node* node) {
#if PG_VERSION_NUM >= 180000
  if (query->hasGroupRTE) node = flatten_group_exprs(nullptr, query, node);
#endif
#if PG_VERSION_NUM >= 160000
  return flatten_join_alias_vars(nullptr, query, node);
#else
  return flatten_join_alias_vars(query, node);
#endif
}

/// True if an entry of the range table represents GROUP BY, which exists since PostgreSQL 18.
inline bool is_of_groups([[maybe_unused]] const RangeTblEntry* entry) {
#if PG_VERSION_NUM >= 180000
  return entry->rtekind == RTE_GROUP;
#else
  return false;
#endif
}

/// The expressions of such an entry.
inline List* group_expressions([[maybe_unused]] const RangeTblEntry* entry) {
#if PG_VERSION_NUM >= 180000
  return entry->groupexprs;
#else
  return NIL;
#endif
}

/// True if a node constructs XML or JSON and is not a function call.
inline bool makes_document(const Node* node) {
#if PG_VERSION_NUM >= 170000
  if (IsA(node, JsonExpr)) return true;
#endif
#if PG_VERSION_NUM >= 160000
  if (IsA(node, JsonConstructorExpr)) return true;
#endif
  return IsA(node, XmlExpr);
}

}  // namespace metrics_refresh::pg
