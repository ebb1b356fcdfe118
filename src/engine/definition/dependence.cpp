// Finds the objects that the rows of a view depend on.
//
// The definition is rewritten first, so that plain views and policies are part of one tree. A walk
// over the tree collects four things: the tables, with partitions and children; the functions of
// users; the versions of types and collations; and the first reason against `skip`, which is a part
// whose result can change without a trace, for example now(). The relations that functions read are
// then rewritten and walked in the same way. Example:
//   SELECT f(a) FROM v  -- v is a plain view on t, f() reads u in its body
// depends on the tables t and u, on the definition of v and on the body of f().
#include "engine/definition/dependence.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/definition_size.hpp"
#include "engine/definition/elsewhere.hpp"
#include "engine/definition/functions.hpp"
#include "engine/definition/reach.hpp"
#include "engine/definition/stable_functions.hpp"
#include "engine/definition/tree.hpp"
#include "engine/definition/type_versions.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::engine {
namespace {

// Builds SELECT FROM the relation. The rewriter replaces a plain view by its query and adds
// policies.
Query* reading_of(Oid relation) {
  auto* const query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->canSetTag = true;
  auto* const entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_RELATION;
  entry->relid = relation;
  entry->relkind = get_rel_relkind(relation);
  entry->rellockmode = AccessShareLock;
  entry->inh = true;
  entry->inFromCl = true;
  entry->eref = makeAlias(get_rel_name(relation), NIL);
  query->rtable = list_make1(entry);
  pg::ask_for(query, entry, ACL_SELECT);
  auto* const reference = makeNode(RangeTblRef);
  reference->rtindex = 1;
  query->jointree = makeFromExpr(list_make1(reference), nullptr);
  return query;
}

struct Walk {
  Oid view;
  Reach reach;          // of the functions
  StringInfo versions;  // of types, collations and time zones
  List* types;          // those whose versions were appended
  List* trees;          // of ReadTree*
  StringInfo shape;
  List* tables;
  const char* uncounted_reason;
  List* functions;
  const char* reason;
};

void object_to(Walk& walk, const char* reason) {
  if (walk.reason == nullptr) walk.reason = reason;
}

void add_table(Walk& walk, Oid table) {
  const char relkind = get_rel_relkind(table);
  const char* const name = get_rel_name(table);
  // The server writes system catalogs without triggers, and their changes are not counted.
  if (table < FirstNormalObjectId)
    return object_to(walk, psprintf("it reads the system catalog %s", name));
  if (get_rel_persistence(table) == RELPERSISTENCE_TEMP)
    return object_to(walk, psprintf("other sessions do not see the temporary table %s", name));
  if (has_virtual_columns(table))
    return object_to(walk, psprintf("virtual generated columns of %s may be redefined", name));
  switch (relkind) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
    case RELKIND_MATVIEW:
      walk.tables = lappend_oid(walk.tables, table);
      // Changes on other nodes reach neither the counters nor the triggers.
      if (const char* reason = reason_written_elsewhere(table)) {
        object_to(walk, reason);
        if (walk.uncounted_reason == nullptr) walk.uncounted_reason = reason;
      }
      return;
    case RELKIND_FOREIGN_TABLE:
      return object_to(walk, psprintf("changes of the foreign table %s cannot be seen", name));
    default:
      return object_to(walk, psprintf("changes of %s cannot be seen", name));
  }
}

bool has_tree(const Walk& walk, Oid root, bool has_children) {
  ListCell* cell;
  foreach (cell, walk.trees) {
    const auto* const tree = static_cast<ReadTree*>(lfirst(cell));
    if (tree->root == root && tree->has_children == has_children) return true;
  }
  return false;
}

// Appends the children of one table to the tree. A partition whose detachment is pending is found
// with any snapshot. Its existence is part of the shape, because queries of the parent read its
// rows before the detachment and not after it.
List* append_children(Walk& walk, List* tree, Oid parent) {
  CHECK_FOR_INTERRUPTS();
  bool is_detaching = false;
  List* const children =
      find_inheritance_children_extended(parent, false, NoLock, &is_detaching, nullptr);
  appendStringInfoChar(walk.shape, is_detaching ? '-' : '+');
  if (get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE) return list_concat(tree, children);
  return list_concat_unique_oid(tree, children);
}

void add_relation(Walk& walk, const RangeTblEntry* entry) {
  if (entry->tablesample != nullptr) object_to(walk, "TABLESAMPLE may choose other rows");
  // If a partition is attached or detached in the meantime, the current state counts. The next
  // observation sees a different shape.
  if (has_tree(walk, entry->relid, entry->inh)) return;
  auto* const read = static_cast<ReadTree*>(palloc(sizeof(ReadTree)));
  *read = {entry->relid, entry->inh};
  walk.trees = lappend(walk.trees, read);
  List* tree = list_make1_oid(entry->relid);
  for (int at = 0; at < list_length(tree); ++at) {
    const Oid table = list_nth_oid(tree, at);
    appendBinaryStringInfo(walk.shape, reinterpret_cast<const char*>(&table), sizeof table);
    add_table(walk, table);
    if (entry->inh) tree = append_children(walk, tree, table);
  }
  appendStringInfoChar(walk.shape, ';');
}

void add_entry(Walk& walk, const RangeTblEntry* entry) {
  switch (entry->rtekind) {
    case RTE_RELATION:
      // Before PostgreSQL 16 the query of a rule contains its own view twice without reading it.
      if (entry->relkind != RELKIND_VIEW && entry->relid != walk.view) add_relation(walk, entry);
      return;
    case RTE_TABLEFUNC:
      return object_to(walk, "it uses XMLTABLE or JSON_TABLE");
    default:
      return;
  }
}

struct Call {
  Walk* walk;
  Node* node;
};

// Returns false, so that the walk goes on to the next function of the node.
bool add_function(Oid function, void* context) {
  const auto* const call = static_cast<Call*>(context);
  Walk& walk = *call->walk;
  if (!OidIsValid(function)) return false;
  if (function >= FirstNormalObjectId) walk.functions = lappend_oid(walk.functions, function);
  const char* const name = get_func_name(function);
  if (uses_text_search_object(function)) {
    object_to(walk, psprintf("%s() depends on a text search configuration", name));
    return false;
  }
  // The list of known functions is asked before their mark, because some are marked STABLE or even
  // IMMUTABLE but depend on settings. The settings are part of the fingerprint.
  const Stability stability = stability_of(function);
  if (stability == Stability::kSettings ||
      (stability == Stability::kArguments && has_stable_arguments(call->node)))
    return false;
  const char marked = func_volatile(function);
  if (stability == Stability::kUnknown && marked == PROVOLATILE_IMMUTABLE) {
    follow(walk.reach, function);
    return false;
  }
  const bool is_now =
      function == F_NOW || function == F_STATEMENT_TIMESTAMP || function == F_TRANSACTION_TIMESTAMP;
  object_to(walk, psprintf(is_now                           ? "it calls %s()"
                           : marked == PROVOLATILE_VOLATILE ? "it calls the volatile function %s()"
                                                            : "it calls the stable function %s()",
                           name));
  return false;
}

bool walk_node(Node* node, void* context);

// A check of a domain raises an error or does nothing. It still counts, because the relations and
// functions in it decide when it raises one.
void add_domain(Walk& walk, Oid domain) {
  ListCell* cell;
  foreach (cell, domain_checks(domain)) (void)walk_node(static_cast<Node*>(lfirst(cell)), &walk);
}

void add_versions(Walk& walk, Node* node) {
  ListCell* cell;
  foreach (cell, types_of(node)) append_type(walk.versions, lfirst_oid(cell), &walk.types);
  append_collations(walk.versions, node);
  if (const char* zone = zone_of_call(node))
    appendStringInfo(walk.versions, "zone " UINT64_FORMAT " ", pg::rules_of_zone(zone));
}

bool walk_node(Node* node, void* context) {
  if (node == nullptr) return false;
  Walk& walk = *static_cast<Walk*>(context);
  Call call = {&walk, node};
  (void)check_functions(node, add_function, &call);
  add_versions(walk, node);
  switch (nodeTag(node)) {
    case T_CoerceToDomain:
      add_domain(walk, castNode(CoerceToDomain, node)->resulttype);
      break;
    case T_Query: {
      ListCell* cell;
      foreach (cell, castNode(Query, node)->rtable)
        add_entry(walk, lfirst_node(RangeTblEntry, cell));
      return query_tree_walker(castNode(Query, node), as_visitor(walk_node), context, 0);
    }
    case T_Var:
      // A whole row gets more columns after ALTER TABLE ADD COLUMN. A single column stays the same.
      if (castNode(Var, node)->varattno == InvalidAttrNumber)
        object_to(walk, "it reads whole rows, whose columns may change");
      if (castNode(Var, node)->varattno < 0 &&
          castNode(Var, node)->varattno != TableOidAttributeNumber)
        object_to(walk, "it reads system columns");
      break;
    case T_SQLValueFunction:
      object_to(walk, "it asks for the current time, date, role or schema");
      break;
    case T_NextValueExpr:
      object_to(walk, "it draws numbers from a sequence");
      break;
    default:
      if (pg::makes_document(node))
        object_to(walk, "it makes XML or JSON in a way that is not examined");
      break;
  }
  return walk_expression(node, walk_node, context);
}

// The relation was named by a function and may have been dropped in the meantime.
void walk_reading(Walk& walk, Oid relation) {
  LockRelationOid(relation, AccessShareLock);
  if (get_rel_name(relation) == nullptr) return;
  Query* const query = reading_of(relation);
  const char* const reason = reason_too_large(query, walk.view);
  if (reason != nullptr) return object_to(walk, reason);
  AcquireRewriteLocks(query, true, false);
  (void)walk_node(linitial_node(Node, QueryRewrite(query)), &walk);
}

// The list of reads grows during the loop, because these queries may call further functions.
void walk_reads(Walk& walk) {
  Oid role;
  int context;
  GetUserIdAndSecContext(&role, &context);
  for (int at = 0; at < list_length(walk.reach.reads); ++at) {
    CHECK_FOR_INTERRUPTS();
    const auto* const read = static_cast<ReadByFunction*>(list_nth(walk.reach.reads, at));
    // Policies depend on the reader, so the query is rewritten as that role. An error needs no
    // cleanup: the abort of the transaction restores the role.
    SetUserIdAndSecContext(read->reader, context | SECURITY_LOCAL_USERID_CHANGE);
    walk_reading(walk, read->relation);
    SetUserIdAndSecContext(role, context);
  }
}

// Returns null and sets `reason` if the view was just dropped or the definition is too large for
// the analysis.
Query* rewritten_definition(Oid view, const char** reason) {
  *reason = "it was dropped";
  Relation relation = try_table_open(view, AccessShareLock);
  if (relation == nullptr) return nullptr;
  auto* const query = static_cast<Query*>(copyObjectImpl(definition_of(relation)));
  table_close(relation, AccessShareLock);
  // The size is checked before the rewriter copies the queries of plain views into the tree.
  *reason = reason_too_large(query, view);
  if (*reason != nullptr) return nullptr;
  AcquireRewriteLocks(query, true, false);
  List* const rewritten = QueryRewrite(query);
  return linitial_node(Query, rewritten);
}

}  // namespace

Dependence dependence_of(Oid view) {
  const char* reason;
  Query* const query = rewritten_definition(view, &reason);
  if (query == nullptr) {
    Dependence nothing = {};
    nothing.reason = reason;
    nothing.shape = makeStringInfo();
    nothing.text = "";
    nothing.versions = "";
    nothing.read_by_functions = "";
    return nothing;
  }
  Walk walk = {view, {}, makeStringInfo(), NIL, NIL, makeStringInfo(), NIL, nullptr, NIL, nullptr};
  (void)walk_node(reinterpret_cast<Node*>(query), &walk);
  walk_reads(walk);
  append_reach(walk.versions, walk.reach);
  if (walk.reach.reason != nullptr) object_to(walk, walk.reach.reason);
  // The fingerprint is compared byte by byte, so the order must not depend on the walk.
  list_sort(walk.tables, list_oid_cmp);
  list_deduplicate_oid(walk.tables);
  list_sort(walk.functions, list_oid_cmp);
  list_deduplicate_oid(walk.functions);
  Dependence dependence = {};
  dependence.table_count = list_length(walk.tables);
  dependence.tables =
      static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(dependence.table_count + 1)));
  int i = 0;
  ListCell* cell;
  foreach (cell, walk.tables) dependence.tables[i++] = lfirst_oid(cell);
  dependence.trees = walk.trees;
  dependence.shape = walk.shape;
  dependence.uncounted_reason = walk.uncounted_reason;
  dependence.functions = walk.functions;
  dependence.reason = walk.reason;
  dependence.text = nodeToString(query);
  dependence.versions = walk.versions->data;
  dependence.read_by_functions = describe_reads(walk.reach);
  return dependence;
}

}  // namespace metrics_refresh::engine
