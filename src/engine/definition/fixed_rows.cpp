// Decides which columns of a definition's result are fixed, that is, the same whenever the tables
// are the same.
//
// The rewritten query is searched for loose parts: aggregates and window functions that depend on
// the order of input, LIMIT, and GROUP BY on values that are equal but not identical. A loose part
// in FROM, WHERE or a grouping makes the number of rows loose, and then nothing is fixed. A loose
// output column affects only itself. Example:
//   SELECT a, count(*), array_agg(b) FROM t GROUP BY a
// Here a and the count are fixed, and array_agg(b) is loose. Unknown aggregates count as loose.
#include "engine/definition/fixed_rows.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/equal_images.hpp"
#include "engine/definition/tree.hpp"

namespace metrics_refresh::engine {
namespace {

bool is_named(Oid function, std::initializer_list<const char*> names) {
  // A user may have a function of the same name.
  if (function >= FirstNormalObjectId) return false;
  const char* const name = get_func_name(function);
  for (const char* const one : names)
    if (strcmp(name, one) == 0) return true;
  return false;
}

// If values are equal, the server may choose any of them for the result. 1.0 and 1.00 are equal
// numerics, but all values of a numeric column with a scale have that scale.
bool is_same_in_all_bytes(Node* value) {
  const Oid type = exprType(value);
  if (type == NUMERICOID && exprTypmod(value) >= 0) return true;
  return has_equal_images(type, exprCollation(value));
}

// Sums of these types do not depend on the order of the input. Those of floating-point numbers do,
// because each step rounds.
bool has_exact_sums(Oid type) {
  for (const Oid one : {INT2OID, INT4OID, INT8OID, NUMERICOID, INTERVALOID, MONEYOID})
    if (type == one) return true;
  return false;
}

// True if the ORDER BY or DISTINCT of the aggregate fixes the order of its input completely.
bool is_fully_ordered(const Aggref* aggregate) {
  List* const order = list_concat_copy(aggregate->aggorder, aggregate->aggdistinct);
  if (order == NIL) return false;
  ListCell* cell;
  foreach (cell, aggregate->args) {
    auto* const argument = lfirst_node(TargetEntry, cell);
    auto* const value = reinterpret_cast<Node*>(argument->expr);
    // A constant is the same for all rows, for example the separator of string_agg().
    if (IsA(value, Const)) continue;
    bool is_in_order = false;
    ListCell* other;
    foreach (other, order)
      is_in_order = is_in_order || lfirst_node(SortGroupClause, other)->tleSortGroupRef ==
                                       argument->ressortgroupref;
    if (argument->ressortgroupref == 0 || !is_in_order || !is_same_in_all_bytes(value))
      return false;
  }
  return true;
}

bool is_fixed(const Aggref* aggregate) {
  const Oid function = aggregate->aggfnoid;
  if (is_named(function, {"count", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor"}))
    return true;
  // A month and 30 days are equal.
  if (is_named(function, {"percentile_cont"})) return aggregate->aggtype != INTERVALOID;
  if (aggregate->aggkind != AGGKIND_NORMAL || aggregate->args == NIL) return false;
  auto* const argument = reinterpret_cast<Node*>(linitial_node(TargetEntry, aggregate->args)->expr);
  if (is_named(function, {"min", "max"})) return is_same_in_all_bytes(argument);
  if (is_named(function, {"sum", "avg", "stddev", "stddev_pop", "stddev_samp", "variance",
                          "var_pop", "var_samp"}) &&
      has_exact_sums(exprType(argument)))
    return true;
  // Any other aggregate may depend on the order of its input.
  return is_fully_ordered(aggregate);
}

const char* depends_on_order(Oid function) {
  return psprintf("%s() depends on the order in which rows are read", get_func_name(function));
}

bool has_equal_groups(const List* clauses, List* targets) {
  ListCell* cell;
  foreach (cell, clauses) {
    TargetEntry* const entry = get_sortgroupclause_tle(lfirst_node(SortGroupClause, cell), targets);
    if (!is_same_in_all_bytes(reinterpret_cast<Node*>(entry->expr))) return false;
  }
  return true;
}

bool has_equal_parts(const Query* query) {
  if (query->setOperations == nullptr) return true;
  const auto* const operation = castNode(SetOperationStmt, query->setOperations);
  ListCell* type;
  ListCell* collation;
  forboth(type, operation->colTypes, collation, operation->colCollations) {
    if (!has_equal_images(lfirst_oid(type), lfirst_oid(collation))) return false;
  }
  return true;
}

constexpr char kOneOfEqual[] = "one of values that are equal, but not the same, stands for all";
constexpr char kChoice[] = "LIMIT, OFFSET and DISTINCT ON choose among rows that are equal to them";

bool chooses_rows(const Query* query) {
  return query->limitCount != nullptr || query->limitOffset != nullptr || query->hasDistinctOn;
}

bool has_equal_keys(const Query* query) {
  return has_equal_groups(query->groupClause, query->targetList) &&
         has_equal_groups(query->distinctClause, query->targetList) && has_equal_parts(query);
}

// The reason why the query itself is loose. Its subqueries are not examined.
const char* reason_loose(const Query* query) {
  if (chooses_rows(query)) return kChoice;
  return has_equal_keys(query) ? nullptr : kOneOfEqual;
}

bool find_loose(Node* node, void* context) {
  if (node == nullptr) return false;
  const char*& reason = *static_cast<const char**>(context);
  if (IsA(node, Aggref) && !is_fixed(castNode(Aggref, node)))
    reason = depends_on_order(castNode(Aggref, node)->aggfnoid);
  if (IsA(node, WindowFunc) && !is_named(castNode(WindowFunc, node)->winfnoid,
                                         {"rank", "dense_rank", "percent_rank", "cume_dist"}))
    reason = depends_on_order(castNode(WindowFunc, node)->winfnoid);
  if (reason == nullptr && IsA(node, Query)) reason = reason_loose(castNode(Query, node));
  if (reason != nullptr) return true;
  if (IsA(node, Query))
    return query_tree_walker(castNode(Query, node), as_visitor(find_loose), context, 0);
  return walk_expression(node, find_loose, context);
}

const char* reason_loose(Node* node) {
  const char* reason = nullptr;
  (void)find_loose(node, &reason);
  return reason;
}

// Examines the whole query except its output columns.
const char* reason_loose_below(const Query* query) {
  Query rest = *query;
  rest.targetList = NIL;
  const char* reason = nullptr;
  (void)query_tree_walker(&rest, as_visitor(find_loose), &reason, 0);
  if (reason != nullptr) return reason;
  // Columns that are grouped, sorted or made distinct decide which rows exist.
  ListCell* cell;
  foreach (cell, query->targetList) {
    auto* const entry = lfirst_node(TargetEntry, cell);
    if (entry->ressortgroupref == 0) continue;
    if (reason = reason_loose(reinterpret_cast<Node*>(entry->expr)); reason != nullptr)
      return reason;
  }
  return nullptr;
}

bool is_among(const TargetEntry* entry, const List* clauses) {
  ListCell* cell;
  foreach (cell, clauses)
    if (entry->ressortgroupref != 0 &&
        lfirst_node(SortGroupClause, cell)->tleSortGroupRef == entry->ressortgroupref)
      return true;
  return false;
}

// If the query chooses among rows, the candidates are equal in the columns that it orders by, so
// only those are fixed. DISTINCT ON alone chooses among rows that are equal in its own columns.
// LIMIT chooses among all.
bool is_column_fixed(const Query* query, TargetEntry* entry) {
  auto* const value = reinterpret_cast<Node*>(entry->expr);
  if (reason_loose(value) != nullptr) return false;
  if (!chooses_rows(query)) return true;
  const bool has_limit = query->limitCount != nullptr || query->limitOffset != nullptr;
  return (is_among(entry, query->sortClause) ||
          (!has_limit && is_among(entry, query->distinctClause))) &&
         is_same_in_all_bytes(value);
}

// True if the value depends on a column outside of aggregates.
bool depends_on_column(Node* node, void*) {
  if (node == nullptr || IsA(node, Aggref)) return false;
  if (IsA(node, Var) || IsA(node, SubLink)) return true;
  return walk_expression(node, depends_on_column, nullptr);
}

// Equal values form one group. The rows of the group are fixed, and so are its aggregates. The
// value that stands for the group is not.
bool has_fixed_groups(const Query* query) {
  return query->groupClause != NIL && query->distinctClause == NIL &&
         query->setOperations == nullptr;
}

void add_fixed_columns(FixedRows& fixed, const Query* query) {
  const bool are_keys_fixed = has_equal_keys(query);
  if (!are_keys_fixed && !has_fixed_groups(query)) return;
  ListCell* cell;
  foreach (cell, query->targetList) {
    auto* const entry = lfirst_node(TargetEntry, cell);
    if (entry->resjunk || !is_column_fixed(query, entry)) continue;
    if (are_keys_fixed || !depends_on_column(reinterpret_cast<Node*>(entry->expr), nullptr))
      fixed.columns[fixed.column_count++] = entry->resno;
  }
}

}  // namespace

FixedRows fixed_rows_of(Relation view) {
  // The rewriter changes its input, and the stored query belongs to the relation cache.
  auto* const copy = static_cast<Query*>(copyObjectImpl(definition_of(view)));
  AcquireRewriteLocks(copy, true, false);
  const auto* const query = linitial_node(Query, QueryRewrite(copy));
  const int most = list_length(query->targetList);
  FixedRows fixed = {};
  fixed.columns = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * static_cast<Size>(most)));
  fixed.loose_reason = reason_loose_below(query);
  if (fixed.loose_reason != nullptr) return fixed;
  fixed.has_fixed_count = true;
  fixed.loose_reason = reason_loose(reinterpret_cast<Node*>(const_cast<Query*>(query)));
  add_fixed_columns(fixed, query);
  return fixed;
}

}  // namespace metrics_refresh::engine
