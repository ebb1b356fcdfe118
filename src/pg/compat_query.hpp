// Query trees as the server's versions have them, under one spelling: where rights over tables are
// written, which nodes there are, how the walkers' callbacks are typed.
// REQUIRES, for all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

using TreeVisitor = bool (*)(Node*, void*);
using TreeMutator = Node* (*)(Node*, void*);

// The callbacks have a type of their own only from PostgreSQL 16 on.
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

/// What a query may do with a table of its list: a node beside the list from PostgreSQL 16 on, else
/// null, for the entry has it itself.
inline Node* permission_of([[maybe_unused]] const Query* query,
                           [[maybe_unused]] RangeTblEntry* entry) {
#if PG_VERSION_NUM >= 160000
  if (entry->perminfoindex != 0)
    return reinterpret_cast<Node*>(getRTEPermissionInfo(query->rteperminfos, entry));
#endif
  return nullptr;
}

/// Gives the query, of one table, such a node of another query's, or none.
inline void set_permission([[maybe_unused]] Query* query, [[maybe_unused]] RangeTblEntry* entry,
                           [[maybe_unused]] const Node* permission) {
#if PG_VERSION_NUM >= 160000
  entry->perminfoindex = 0;
  if (permission == nullptr) return;
  query->rteperminfos = list_make1(copyObjectImpl(permission));
  entry->perminfoindex = 1;
#endif
}

/// Asks for a privilege over a table that was just put into the query's list; for none if it is 0,
/// for the planner wants to be told that as well.
inline void ask_for([[maybe_unused]] Query* query, RangeTblEntry* entry, AclMode privilege) {
#if PG_VERSION_NUM >= 160000
  addRTEPermissionInfo(&query->rteperminfos, entry)->requiredPerms = privilege;
#else
  entry->requiredPerms = privilege;
#endif
}

/// The role whose rights over a table count, or InvalidOid for the current user's.
inline Oid checked_as([[maybe_unused]] const RangeTblEntry* entry,
                      [[maybe_unused]] const Node* permission) {
#if PG_VERSION_NUM >= 160000
  const auto* const info = reinterpret_cast<const RTEPermissionInfo*>(permission);
  return info != nullptr ? info->checkAsUser : InvalidOid;
#else
  return entry->checkAsUser;
#endif
}

/// Says an expression over the columns of what is grouped and joined.
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

/// Whether an entry of a query's list stands for its GROUP BY, as from PostgreSQL 18 on.
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

/// Whether a node makes XML or JSON, and is no call of a function.
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
