#include "engine/key_columns.hpp"

#include "engine/definition.hpp"

namespace metrics_refresh::engine {

FlatSource* source_at(const FlatQuery* flat, int number) {
  return static_cast<FlatSource*>(list_nth(flat->sources, number - 1));
}

namespace {

bool is_same(const Var* a, const Var* b) {
  return a->varno == b->varno && a->varattno == b->varattno;
}

List* add_distinct(List* columns, Var* var) {
  ListCell* cell;
  foreach (cell, columns)
    if (is_same(static_cast<Var*>(lfirst(cell)), var)) return columns;
  return lappend(columns, var);
}

// All columns that are equal to this one, itself the first, wherever its row takes part.
List* reached_from(const FlatQuery* flat, Var* start) {
  List* reached = list_make1(start);
  for (int i = 0; i < list_length(reached); ++i) {
    const Var* at = static_cast<Var*>(list_nth(reached, i));
    ListCell* cell;
    foreach (cell, flat->equalities) {
      const auto* equality = static_cast<Equality*>(lfirst(cell));
      if (is_same(equality->from, at)) reached = add_distinct(reached, equality->to);
    }
  }
  return reached;
}

// The columns of one source from which equalities lead somewhere.
List* joined_columns(const FlatQuery* flat, int number) {
  List* columns = NIL;
  ListCell* cell;
  foreach (cell, flat->equalities) {
    Var* const from = static_cast<Equality*>(lfirst(cell))->from;
    if (from->varno == number) columns = add_distinct(columns, from);
  }
  return columns;
}

// A column of the source that is equal to `wanted`, or null.
Var* equal_column(const FlatQuery* flat, int number, const Var* wanted) {
  ListCell* cell;
  foreach (cell, joined_columns(flat, number)) {
    Var* const start = static_cast<Var*>(lfirst(cell));
    ListCell* inner;
    foreach (inner, reached_from(flat, start))
      if (is_same(static_cast<Var*>(lfirst(inner)), wanted)) return start;
  }
  return nullptr;
}

// Whether an output column can be part of a key: of tables that no outer join leaves out, since a
// row may leave a group with its value for one with NULL.
bool can_be_key(const FlatQuery* flat, const FlatOutput* output) {
  Node* const expression = output->expression;
  if (!OidIsValid(key_equality(exprType(expression), exprCollation(expression)))) return false;
  if (contain_mutable_functions(expression)) return false;
  bool any = false;
  ListCell* cell;
  foreach (cell, pull_var_clause(expression, 0)) {
    const Var* var = static_cast<Var*>(lfirst(cell));
    if (var->varno == 0 || var->varattno <= 0) return false;
    if (!bms_is_empty(source_at(flat, var->varno)->scope)) return false;
    any = true;
  }
  return any;
}

bool is_over(Node* expression, int number) {
  ListCell* cell;
  foreach (cell, pull_var_clause(expression, 0))
    if (static_cast<Var*>(lfirst(cell))->varno != number) return false;
  return true;
}

// The output column over the source's row alone, or null where that does not say it.
Node* over_row(const FlatQuery* flat, int number, const FlatOutput* output) {
  if (!can_be_key(flat, output)) return nullptr;
  Node* expression = output->expression;
  if (!is_over(expression, number)) {
    if (!IsA(expression, Var)) return nullptr;
    expression =
        reinterpret_cast<Node*>(equal_column(flat, number, reinterpret_cast<Var*>(expression)));
    if (expression == nullptr) return nullptr;
  }
  expression = static_cast<Node*>(copyObjectImpl(expression));
  ChangeVarNodes(expression, number, 1, 0);
  return expression;
}

// The key columns that are plain columns of an index, all of it; or NIL.
List* columns_of_index(List* keys, const Form_pg_index index) {
  List* found = NIL;
  for (int i = 0; i < index->indnkeyatts; ++i) {
    ListCell* cell;
    foreach (cell, keys) {
      auto* const key = static_cast<KeyColumn*>(lfirst(cell));
      if (IsA(key->expression, Var) &&
          reinterpret_cast<Var*>(key->expression)->varattno == index->indkey.values[i])
        break;
    }
    if (cell == nullptr) return NIL;
    found = lappend(found, lfirst(cell));
  }
  return found;
}

}  // namespace

List* key_columns(const FlatQuery* flat, int number, bool only_grouped) {
  List* keys = NIL;
  ListCell* cell;
  foreach (cell, flat->outputs) {
    const auto* output = static_cast<FlatOutput*>(lfirst(cell));
    if (only_grouped && !output->is_grouped) continue;
    Node* const expression = over_row(flat, number, output);
    if (expression == nullptr || list_length(keys) == kMaxKeyColumns) continue;
    auto* const key = static_cast<KeyColumn*>(palloc(sizeof(KeyColumn)));
    *key = {output->column, expression};
    keys = lappend(keys, key);
  }
  return keys;
}

List* unique_columns(List* keys, Oid table) {
  Relation const relation = table_open(table, AccessShareLock);
  List* best = NIL;
  ListCell* cell;
  foreach (cell, RelationGetIndexList(relation)) {
    Relation const index = index_open(lfirst_oid(cell), AccessShareLock);
    const Form_pg_index form = index->rd_index;
    if (form->indisunique && form->indisvalid && !is_partial(index)) {
      List* const columns = columns_of_index(keys, form);
      if (columns != NIL && (best == NIL || list_length(columns) < list_length(best)))
        best = columns;
    }
    index_close(index, AccessShareLock);
  }
  table_close(relation, NoLock);
  return best;
}

List* joins_between(const FlatQuery* flat, int from, int to) {
  List* joins = NIL;
  ListCell* cell;
  foreach (cell, joined_columns(flat, from)) {
    Var* const start = static_cast<Var*>(lfirst(cell));
    ListCell* inner;
    foreach (inner, reached_from(flat, start)) {
      const Var* end = static_cast<Var*>(lfirst(inner));
      if (end->varno != to || list_length(joins) == kMaxKeyColumns) continue;
      auto* const join = static_cast<JoinColumn*>(palloc(sizeof(JoinColumn)));
      *join = {start->varattno, end->varattno};
      joins = lappend(joins, join);
    }
  }
  return joins;
}

}  // namespace metrics_refresh::engine
