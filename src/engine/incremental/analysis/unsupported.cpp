#include "engine/incremental/analysis/unsupported.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/elsewhere.hpp"
#include "engine/definition/functions.hpp"
#include "engine/definition/inheritance.hpp"
#include "engine/definition/reach.hpp"
#include "engine/definition/tree.hpp"

// A definition can be refreshed by keys only if an output row depends on nothing but the rows of
// its key. The checks here reject everything else, and each returns the reason as text:
// - find_reason() walks all expressions: subqueries, aggregates that depend on the order of their
//   input, and functions that are not immutable or read tables.
// - reason_against_clauses() rejects clauses such as LIMIT, in which one row decides about another.
// - reason_against_source() rejects tables whose changes the triggers do not see, or not always.
//
// Example:
//   SELECT region, array_agg(id) FROM shops GROUP BY region
//   -> the aggregate array_agg depends on the order of its input and has no ORDER BY
//   SELECT region, array_agg(id ORDER BY id) FROM shops GROUP BY region  -> null, nothing to refuse

namespace metrics_refresh::engine {
namespace {

// Aggregates of the server whose result depends on the order of their input for every type. A
// partial refresh reads the rows in another order than a full one.
bool depends_on_order(const char* name) {
  for (const char* const one :
       {"array_agg", "string_agg", "json_agg", "json_agg_strict", "jsonb_agg", "jsonb_agg_strict",
        "json_object_agg", "json_object_agg_strict", "json_object_agg_unique",
        "json_object_agg_unique_strict", "jsonb_object_agg", "jsonb_object_agg_strict",
        "jsonb_object_agg_unique", "jsonb_object_agg_unique_strict", "xmlagg", "any_value"})
    if (strcmp(name, one) == 0) return true;
  return false;
}

bool is_order_independent(const char* name) {
  return strcmp(name, "min") == 0 || strcmp(name, "max") == 0 || strcmp(name, "count") == 0;
}

// The sum of floating-point numbers is rounded at each step, so it depends on the order.
bool sums_floats(const Aggref* aggregate, const char* name) {
  if (is_order_independent(name)) return false;
  ListCell* cell;
  foreach (cell, aggregate->aggargtypes)
    if (lfirst_oid(cell) == FLOAT4OID || lfirst_oid(cell) == FLOAT8OID) return true;
  return false;
}

const char* reason_against_aggregate(const Aggref* aggregate) {
  // An ordered-set aggregate sorts its input itself.
  if (aggregate->aggorder != NIL || aggregate->aggkind != AGGKIND_NORMAL) return nullptr;
  const char* name = get_func_name(aggregate->aggfnoid);
  // The transition function of a user-defined aggregate is unknown, so the worst is assumed.
  if (aggregate->aggfnoid >= FirstNormalObjectId)
    return psprintf("the aggregate %s may depend on the order of its input and has no ORDER BY",
                    name);
  if (depends_on_order(name) || sums_floats(aggregate, name))
    return psprintf("the aggregate %s depends on the order of its input and has no ORDER BY", name);
  return nullptr;
}

// If a function reads tables, a changed row of such a table does not identify the affected rows.
const char* reason_against_body(Oid function) {
  Reach reach = {};
  follow(reach, function);
  if (reach.reason != nullptr) return reach.reason;
  if (reach.reads == NIL) return nullptr;
  return psprintf("a function reads %s", describe_reads(reach));
}

// Returns null if the function has the same result for the same arguments. An invalid OID is
// allowed: not every node calls a function.
const char* reason_against_function(Oid function) {
  if (!OidIsValid(function)) return nullptr;
  const char* name = get_func_name(function);
  if (uses_text_search_object(function))
    return psprintf("the function %s depends on a text search configuration", name);
  const char marked = func_volatile(function);
  // IMMUTABLE is only a declaration, so the body is checked as well.
  if (marked == PROVOLATILE_IMMUTABLE) return reason_against_body(function);
  return psprintf("the function %s is %s", name,
                  marked == PROVOLATILE_STABLE ? "stable, not immutable" : "volatile");
}

bool has_reason(Oid function, void* context) {
  const char*& reason = *static_cast<const char**>(context);
  reason = reason_against_function(function);
  return reason != nullptr;
}

// The functions that an expression of now() may call. Their results depend only on now() and
// TimeZone. The setting is part of the view's fingerprint.
bool is_of_time(Oid function) {
  return function == F_NOW || function == F_TRANSACTION_TIMESTAMP ||
         function == F_TIMESTAMPTZ_PL_INTERVAL || function == F_TIMESTAMPTZ_MI_INTERVAL ||
         function == F_DATE_TRUNC_TEXT_TIMESTAMPTZ ||
         func_volatile(function) == PROVOLATILE_IMMUTABLE;
}

bool is_not_of_time(Oid function, void*) { return !is_of_time(function); }

// Returns true if the expression depends on anything but constants, now() and TimeZone.
bool depends_on_more_than_time(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, Var) || IsA(node, Param) || IsA(node, SubLink) || IsA(node, Aggref) ||
      IsA(node, WindowFunc) || IsA(node, NextValueExpr))
    return true;
  if (IsA(node, SQLValueFunction))
    return reinterpret_cast<SQLValueFunction*>(node)->op != SVFOP_CURRENT_TIMESTAMP;
  if (check_functions_in_node(node, is_not_of_time, nullptr)) return true;
  return walk_expression(node, depends_on_more_than_time, context);
}

bool compares_times(Oid function) {
  return function == F_TIMESTAMPTZ_LT || function == F_TIMESTAMPTZ_LE ||
         function == F_TIMESTAMPTZ_GT || function == F_TIMESTAMPTZ_GE;
}

// Nodes that call no function and can still depend on settings.
bool depends_on_settings(Node* node) {
  return pg::makes_document(node) && contain_mutable_functions(node);
}

struct Search {
  const char* reason;
};

bool find_reason(Node* node, void* context) {
  auto* const search = static_cast<Search*>(context);
  if (node == nullptr || search->reason != nullptr) return false;
  Var* column;
  // The refresh handles these comparisons itself, by the rows whose time has come.
  if (time_comparison_of(node, &column) != nullptr) return false;
  if (IsA(node, SubLink)) {
    search->reason = "it has a subquery in an expression";
  } else if (IsA(node, Aggref)) {
    search->reason = reason_against_aggregate(reinterpret_cast<Aggref*>(node));
  } else if (IsA(node, SQLValueFunction) || IsA(node, NextValueExpr)) {
    search->reason =
        IsA(node, NextValueExpr)
            ? "it calls nextval()"
            : "it calls a function of the kind of CURRENT_DATE and CURRENT_USER, whose "
              "value changes by itself";
  }
  if (search->reason != nullptr) return true;
  if (depends_on_settings(node)) {
    search->reason = "it makes XML or JSON in a way that depends on settings";
    return true;
  }
  if (check_functions(node, has_reason, &search->reason)) return true;
  // This does not descend into subqueries in FROM. reason_against_subquery() checks them.
  if (IsA(node, Query)) return walk_query(reinterpret_cast<Query*>(node), find_reason, context);
  return walk_expression(node, find_reason, context);
}

const char* reason_against_clauses(const Query* query) {
  if (query->hasWindowFuncs) return "it has a window function";
  if (query->limitCount != nullptr || query->limitOffset != nullptr)
    return "it has LIMIT or OFFSET";
  if (query->hasDistinctOn) return "it has DISTINCT ON";
  if (query->groupingSets != NIL) return "it has grouping sets";
  if (query->hasTargetSRFs) return "it has a set-returning function in its select list";
  if (query->rowMarks != NIL) return "it locks rows";
  return nullptr;
}

}  // namespace

Node* time_comparison_of(Node* node, Var** column) {
  if (node == nullptr || !IsA(node, OpExpr)) return nullptr;
  auto* const comparison = reinterpret_cast<OpExpr*>(node);
  if (list_length(comparison->args) != 2 || !compares_times(get_opcode(comparison->opno)))
    return nullptr;
  Node* left = static_cast<Node*>(linitial(comparison->args));
  Node* right = static_cast<Node*>(lsecond(comparison->args));
  // The column may be on either side of the comparison.
  if (!IsA(left, Var)) std::swap(left, right);
  if (!IsA(left, Var) || !contain_mutable_functions(right)) return nullptr;
  if (depends_on_more_than_time(right, nullptr)) return nullptr;
  *column = reinterpret_cast<Var*>(left);
  return right;
}

const char* reason_against_query(Query* query) {
  if (query->commandType != CMD_SELECT) return "it is not a SELECT";
  if (const char* reason = reason_against_clauses(query)) return reason;
  if (query->hasAggs && query->groupClause == NIL)
    return "it aggregates without GROUP BY, so that one row depends on all";
  Search search = {};
  (void)find_reason(reinterpret_cast<Node*>(query), &search);
  return search.reason;
}

// A subquery that aggregates is refused, because one changed row changes a row of the subquery that
// depends on other rows, too.
const char* reason_against_subquery(Query* query) {
  if (query->hasAggs || query->groupClause != NIL)
    return "a subquery, view or WITH query in its FROM aggregates";
  if (query->distinctClause != NIL)
    return "a subquery, view or WITH query in its FROM has DISTINCT";
  if (query->setOperations != nullptr)
    return "a subquery, view or WITH query in its FROM has a set operation";
  return reason_against_query(query);
}

const char* reason_against_source(const FlatSource* source) {
  const RangeTblEntry* entry = source->entry;
  const char* name = get_rel_name(entry->relid);
  if (IsCatalogRelationOid(entry->relid)) return psprintf("it reads the system catalog %s", name);
  switch (entry->relkind) {
    case RELKIND_RELATION:
    case RELKIND_MATVIEW:
      break;
    case RELKIND_FOREIGN_TABLE:
      return psprintf("it reads the foreign table %s", name);
    case RELKIND_PARTITIONED_TABLE:
      return psprintf("it reads the partitioned table %s", name);
    default:
      return psprintf("it reads %s, which is not a table", name);
  }
  // From here on: rows that can change without firing a trigger of this table.
  if (const char* reason = reason_written_elsewhere(entry->relid)) return reason;
  if (entry->tablesample != nullptr) return psprintf("it reads a sample of %s", name);
  if (has_children(entry->relid))
    return psprintf("the table %s has children that inherit from it", name);
  if (has_parents(entry->relid))
    return psprintf("the table %s is a partition or inherits from another", name);
  if (has_virtual_columns(entry->relid))
    return psprintf("the table %s has a virtual generated column, which triggers do not see", name);
  // A crash resets an unlogged table to empty.
  if (get_rel_persistence(entry->relid) != RELPERSISTENCE_PERMANENT)
    return psprintf("the table %s is unlogged: a crash would empty it unseen", name);
  // A policy can depend on anything, and its result can change without a change of the row.
  if (check_enable_rls(entry->relid, pg::permission_role(entry, source->permission), true) ==
      RLS_ENABLED)
    return psprintf("row-level security of the table %s applies to the view's owner", name);
  return nullptr;
}

}  // namespace metrics_refresh::engine
