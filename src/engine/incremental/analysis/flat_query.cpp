#include "engine/incremental/analysis/flat_query.hpp"

#include "engine/definition/definition_size.hpp"
#include "engine/definition/tree.hpp"
#include "engine/definition/with_queries.hpp"
#include "engine/incremental/analysis/unsupported.hpp"

// flatten() walks the FROM clause recursively. Each table becomes a source with a number. Each
// plain view and each simple subquery becomes a level of its own. resolve() replaces its columns by
// the expressions that the level computes. At the end, every output column is an expression over
// columns of sources.
//
// The walk also collects two kinds of conditions. An equality of two columns in WHERE or ON is
// stored once in each direction, unless an outer join rules a direction out. A comparison of a
// column with now() is stored as a FlatComparison. Only equalities that every row must pass count,
// so the walk follows AND but neither OR nor NOT.
//
// Example:
//   SELECT v.region, sum(s.amount) FROM sales s
//     JOIN (SELECT id, region FROM shops WHERE is_open) v ON v.id = s.shop GROUP BY v.region
//   -> sources 1 = sales, 2 = shops; output 1 = 2.region; equalities 2.id = 1.shop, 1.shop = 2.id

namespace metrics_refresh::engine {
namespace flattening {

// The meaning of one range table entry: a source, a subquery, or neither.
struct Level;
struct Item {
  int source;        // number of the source, or 0
  Level* subquery;   // or null
  Bitmapset* scope;  // outer joins that can replace its row by NULL
};

// One of the queries that are merged: the definition, a plain view or a subquery.
struct Flattener;
struct Level {
  Query* query;
  Item* items;  // by varno
  Flattener* flattener;
};

struct Flattener {
  FlatQuery* result;
  int outer_joins;
  int nodes;  // nodes that were visited while expressions were resolved

  Level* open(Query* query, Bitmapset* scope);
  void walk(Level* level, Node* node, Bitmapset* scope);
  void add_item(Level* level, int number, Bitmapset* scope);
  void add_relation(Level* level, int number, Bitmapset* scope);
  void add_subquery(Level* level, int number, Query* query, Bitmapset* scope);
  void walk_join(Level* level, JoinExpr* join, Bitmapset* scope);
  // `outer` is the number of the outer join that has these quals, or 0 if every row must pass them.
  void add_quals(Level* level, Node* quals, int outer);
  void add_equality(Level* level, OpExpr* expression, int outer);
  void add_directed(Var* from, Var* to, int outer);
  void add_comparisons(Level* level);
  bool is_within(const Var* var, int outer) const {
    return bms_is_member(
        outer, static_cast<FlatSource*>(list_nth(result->sources, var->varno - 1))->scope);
  }
  void refuse(const char* reason) {
    if (result->reason == nullptr) result->reason = reason;
  }
};

// A column that is not the column of any source. It keeps the type, because callers check types.
Node* unknown_value(const Var* var) {
  return reinterpret_cast<Node*>(makeVar(0, 1, var->vartype, var->vartypmod, var->varcollid, 0));
}

Node* resolve(Level* level, Node* node);

// The limit is on the total number of nodes. If each plain view in a chain uses a column twice,
// then the resolved expression doubles with each view.
bool is_too_large(Flattener& flattener) {
  if (flattener.nodes > kMaxNodes) return true;
  if (++flattener.nodes % 1000 == 0) CHECK_FOR_INTERRUPTS();
  if (flattener.nodes > kMaxNodes) flattener.refuse("the expressions of its columns are too large");
  return false;
}

Node* resolve_var(Level* level, const Var* var) {
  const Item& item = level->items[var->varno];
  if (var->varlevelsup != 0) return unknown_value(var);
  if (item.source != 0)
    return reinterpret_cast<Node*>(
        makeVar(item.source, var->varattno, var->vartype, var->vartypmod, var->varcollid, 0));
  if (item.subquery == nullptr || var->varattno <= 0) return unknown_value(var);
  const TargetEntry* entry = get_tle_by_resno(item.subquery->query->targetList, var->varattno);
  Node* const inner = resolve(item.subquery, reinterpret_cast<Node*>(entry->expr));
  // An outer join replaces the subquery's columns by NULL. A plain column of a source becomes NULL
  // as well, so it can stand for the subquery's column. Another expression cannot: for example,
  // coalesce(x, 0) over a NULL row is 0, but the subquery's column is NULL.
  if (!bms_is_empty(item.scope) && !IsA(inner, Var)) return unknown_value(var);
  return inner;
}

Node* resolve_mutator(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  auto* const level = static_cast<Level*>(context);
  if (is_too_large(*level->flattener)) return node;  // the query is refused, so this is not used
  if (IsA(node, Var)) return resolve_var(level, reinterpret_cast<Var*>(node));
  if (IsA(node, Query)) return node;
  return mutate_expression(node, resolve_mutator, context);
}

Node* resolve(Level* level, Node* node) {
  return resolve_mutator(pg::flatten_aliases(level->query, node), level);
}

Level* Flattener::open(Query* query, Bitmapset* scope) {
  CHECK_FOR_INTERRUPTS();
  auto* const level = static_cast<Level*>(palloc0(sizeof(Level)));
  level->query = query;
  level->flattener = this;
  level->items =
      static_cast<Item*>(palloc0(sizeof(Item) * static_cast<Size>(list_length(query->rtable) + 1)));
  walk(level, reinterpret_cast<Node*>(query->jointree), scope);
  if (result->reason == nullptr) add_comparisons(level);
  return level;
}

// `scope` is the set of outer joins that can replace the rows of `node` by NULL.
void Flattener::walk(Level* level, Node* node, Bitmapset* scope) {
  if (result->reason != nullptr) return;
  if (IsA(node, RangeTblRef)) {
    add_item(level, reinterpret_cast<RangeTblRef*>(node)->rtindex, scope);
  } else if (IsA(node, FromExpr)) {
    const auto* const from = reinterpret_cast<FromExpr*>(node);
    ListCell* cell;
    foreach (cell, from->fromlist) walk(level, static_cast<Node*>(lfirst(cell)), scope);
    add_quals(level, from->quals, 0);
  } else if (IsA(node, JoinExpr)) {
    walk_join(level, reinterpret_cast<JoinExpr*>(node), scope);
  } else {
    refuse("it has an unknown kind of join");
  }
}

void Flattener::walk_join(Level* level, JoinExpr* join, Bitmapset* scope) {
  if (join->jointype == JOIN_INNER) {
    walk(level, join->larg, scope);
    walk(level, join->rarg, scope);
    add_quals(level, join->quals, 0);
  } else if (join->jointype == JOIN_LEFT || join->jointype == JOIN_RIGHT) {
    const bool left = join->jointype == JOIN_LEFT;
    const int number = ++outer_joins;
    // A condition of the join decides only about rows of the nullable side, so it gets the join's
    // number.
    Bitmapset* const within = bms_add_member(bms_copy(scope), number);
    walk(level, join->larg, left ? scope : within);
    walk(level, join->rarg, left ? within : scope);
    add_quals(level, join->quals, number);
  } else {
    // A changed row of either side can add or remove NULL rows of the other side.
    refuse("it has a FULL JOIN");
  }
}

void Flattener::add_item(Level* level, int number, Bitmapset* scope) {
  const RangeTblEntry* entry = rt_fetch(number, level->query->rtable);
  level->items[number].scope = scope;
  switch (entry->rtekind) {
    case RTE_RELATION:
      add_relation(level, number, scope);
      break;
    case RTE_SUBQUERY:
      if (entry->lateral)
        refuse("it has a LATERAL subquery");
      else
        add_subquery(level, number, entry->subquery, scope);
      break;
    case RTE_FUNCTION:
    case RTE_VALUES:
    case RTE_RESULT:
      break;  // these change only if the definition changes
    default:
      refuse("it reads something that is not a table");
  }
}

void Flattener::add_subquery(Level* level, int number, Query* query, Bitmapset* scope) {
  if (const char* reason = reason_against_subquery(query)) return refuse(reason);
  level->items[number].subquery = open(query, scope);
}

void Flattener::add_relation(Level* level, int number, Bitmapset* scope) {
  RangeTblEntry* const entry = rt_fetch(number, level->query->rtable);
  if (entry->relkind == RELKIND_VIEW) {
    // Concurrent CREATE OR REPLACE VIEW must not change the query while it is copied.
    Relation const view = table_open(entry->relid, AccessShareLock);
    auto* const query = static_cast<Query*>(copyObjectImpl(get_view_query(view)));
    table_close(view, NoLock);
    if (const char* reason = inline_with_queries(query)) return refuse(reason);
    return add_subquery(level, number, query, scope);
  }
  auto* const source = static_cast<FlatSource*>(palloc0(sizeof(FlatSource)));
  source->entry = entry;
  source->scope = scope;
  source->permission = pg::permission_of(level->query, entry);
  if (const char* reason = reason_against_source(source)) return refuse(reason);
  if (list_length(result->sources) == kMaxSources)
    return refuse(psprintf("it joins more than %d tables", kMaxSources));
  result->sources = lappend(result->sources, source);
  level->items[number].source = list_length(result->sources);
}

void Flattener::add_quals(Level* level, Node* quals, int outer) {
  if (quals == nullptr || result->reason != nullptr) return;
  // A row must pass all arguments of an AND. Nothing follows from a single argument of an OR.
  if (is_andclause(quals)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<BoolExpr*>(quals)->args)
      add_quals(level, static_cast<Node*>(lfirst(cell)), outer);
  } else if (IsA(quals, OpExpr)) {
    add_equality(level, reinterpret_cast<OpExpr*>(quals), outer);
  }
}

Var* as_column(Node* node);

struct ComparisonSearch {
  Flattener* flattener;
  Level* level;
};

bool find_comparisons(Node* node, void* context);

void Flattener::add_comparisons(Level* level) {
  ComparisonSearch search = {this, level};
  (void)walk_query(level->query, find_comparisons, &search);
  // now() can stand in any expression of the query, so this looks beyond WHERE and ON.
}

bool find_comparisons(Node* node, void* context) {
  auto* const search = static_cast<ComparisonSearch*>(context);
  if (node == nullptr) return false;
  Var* column;
  Node* const expression = time_comparison_of(node, &column);
  if (expression == nullptr) return walk_expression(node, find_comparisons, context);
  Var* const resolved = as_column(resolve(search->level, reinterpret_cast<Node*>(column)));
  if (search->flattener->result->reason != nullptr) return true;
  if (resolved == nullptr) {
    search->flattener->refuse("it compares now() with something other than a column of a table");
    return true;
  }
  auto* const comparison = static_cast<FlatComparison*>(palloc(sizeof(FlatComparison)));
  *comparison = {resolved, expression};
  search->flattener->result->comparisons =
      lappend(search->flattener->result->comparisons, comparison);
  return false;
}

// Returns the column of a source below any binary-compatible relabelings, or null.
Var* as_column(Node* node) {
  while (node != nullptr && IsA(node, RelabelType))
    node = reinterpret_cast<Node*>(reinterpret_cast<RelabelType*>(node)->arg);
  if (node == nullptr || !IsA(node, Var)) return nullptr;
  auto* const var = reinterpret_cast<Var*>(node);
  return var->varno > 0 && var->varattno > 0 ? var : nullptr;
}

void Flattener::add_equality(Level* level, OpExpr* expression, int outer) {
  if (list_length(expression->args) != 2) return;
  Var* const left = as_column(resolve(level, static_cast<Node*>(linitial(expression->args))));
  Var* const right = as_column(resolve(level, static_cast<Node*>(lsecond(expression->args))));
  if (result->reason != nullptr) return;
  if (left == nullptr || right == nullptr || left->varno == right->varno) return;
  // The operator must be the equality that keys of this type are compared by. Another operator may
  // treat different values as equal.
  if (key_equality(left->vartype, expression->inputcollid) != expression->opno ||
      key_equality(right->vartype, expression->inputcollid) != expression->opno)
    return;
  add_directed(left, right, outer);
  add_directed(right, left, outer);
}

// The condition of an outer join does not restrict the rows of the preserved side: they are in the
// result in any case. It does restrict the rows of the nullable side. So an equality is stored only
// if it starts at the nullable side. If both columns are on that side, they are equal whenever its
// row is in the result.
void Flattener::add_directed(Var* from, Var* to, int outer) {
  if (outer != 0 && !is_within(from, outer)) return;
  if (list_length(result->equalities) >= kMaxEqualities)
    return refuse(psprintf("it has more than %d equalities of columns", kMaxEqualities));
  auto* const equality = static_cast<Equality*>(palloc(sizeof(Equality)));
  *equality = {from, to};
  result->equalities = lappend(result->equalities, equality);
}

// Without groups, every output column belongs to one row. With groups, only columns that are equal
// in all rows of a group count: grouping expressions, and columns that functionally depend on them.
void add_outputs(FlatQuery* result, Level* level) {
  Query* const query = level->query;
  ListCell* cell;
  foreach (cell, query->targetList) {
    const TargetEntry* entry = lfirst_node(TargetEntry, cell);
    if (entry->resjunk) continue;
    auto* const output = static_cast<FlatOutput*>(palloc0(sizeof(FlatOutput)));
    output->column = entry->resno;
    output->expression = resolve(level, reinterpret_cast<Node*>(entry->expr));
    if (result->reason != nullptr) return;
    output->is_grouped =
        get_sortgroupref_clause_noerr(entry->ressortgroupref, query->groupClause) != nullptr;
    if (!result->has_groups || output->is_grouped || IsA(output->expression, Var))
      result->outputs = lappend(result->outputs, output);
  }
}

}  // namespace flattening

FlatQuery* flatten(Query* query) {
  auto* const result = static_cast<FlatQuery*>(palloc0(sizeof(FlatQuery)));
  result->has_groups = query->groupClause != NIL;
  flattening::Flattener flattener = {result, 0, 0};
  flattening::Level* const level = flattener.open(query, nullptr);
  if (result->reason == nullptr) flattening::add_outputs(result, level);
  return result;
}

Oid key_equality(Oid type, Oid collation) {
  // Grouping needs a total equality: values that it merges must be equal for the key, too. The
  // values of a key are compared as an array, so the type needs an array type.
  if (OidIsValid(collation) && !get_collation_isdeterministic(collation)) return InvalidOid;
  if (!OidIsValid(get_array_type(type))) return InvalidOid;
  return lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
}

}  // namespace metrics_refresh::engine
