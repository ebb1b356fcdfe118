#include "engine/incremental/analysis/key_columns.hpp"

#include "engine/definition/definition.hpp"

// The equalities of a flat query form a directed graph of columns. If a row of a source is in the
// result, all columns that can be reached from one of its columns have that value. A column of a
// source can therefore be used in place of any output column that it reaches. The same search finds
// the columns by which two sources are joined, also through a third one.
//
// Example:
//   SELECT s.region, sum(x.amount) FROM shops s JOIN sales x ON x.region = s.region GROUP BY 1
//   graph: x.region <-> s.region
//   key_columns(sales) = { output column 1, computed as sales.region }

namespace metrics_refresh::engine {

FlatSource* source_at(const FlatQuery* flat, int number) {
  return static_cast<FlatSource*>(list_nth(flat->sources, number - 1));
}

namespace {

bool is_same(const Var* a, const Var* b) {
  return a->varno == b->varno && a->varattno == b->varattno;
}

}  // namespace

// The columns that occur in an equality. Each one is identified by its index in `columns`.
struct ColumnGraph {
  struct Column {
    Var* var;
    List* next;     // int: the columns that an equality leads to directly
    List* reached;  // int: all columns that are reachable, itself first; NIL if not computed yet
    Bitmapset* is_reached;  // `reached` as a set
    Bitmapset* sources;     // the sources of these columns
  };
  Column* columns;
  int count;
};

namespace {

int index_of(const ColumnGraph* graph, const Var* var) {
  for (int at = 0; at < graph->count; ++at)
    if (is_same(graph->columns[at].var, var)) return at;
  return -1;
}

int put_column(ColumnGraph* graph, Var* var) {
  const int known = index_of(graph, var);
  if (known >= 0) return known;
  graph->columns[graph->count].var = var;
  return graph->count++;
}

// Every column is put in before any equality, because put_column() must not move columns later.
// There are at most two columns for each equality.
ColumnGraph* graph_of(FlatQuery* flat) {
  if (flat->graph != nullptr) return flat->graph;
  auto* const graph = static_cast<ColumnGraph*>(palloc0(sizeof(ColumnGraph)));
  graph->columns = static_cast<ColumnGraph::Column*>(palloc0(
      sizeof(ColumnGraph::Column) * static_cast<Size>(2 * list_length(flat->equalities) + 1)));
  ListCell* cell;
  foreach (cell, flat->equalities)
    (void)put_column(graph, static_cast<Equality*>(lfirst(cell))->from);
  foreach (cell, flat->equalities) {
    CHECK_FOR_INTERRUPTS();
    const auto* equality = static_cast<Equality*>(lfirst(cell));
    ColumnGraph::Column& from = graph->columns[index_of(graph, equality->from)];
    from.next = lappend_int(from.next, put_column(graph, equality->to));
  }
  return flat->graph = graph;
}

// Computes, by a breadth-first search, all columns that are equal to this one. The result is
// stored, because the same column is asked for once for each output column and for each other
// source.
const ColumnGraph::Column& reached_from(ColumnGraph* graph, int start) {
  ColumnGraph::Column& column = graph->columns[start];
  if (column.reached != NIL) return column;
  CHECK_FOR_INTERRUPTS();
  column.reached = list_make1_int(start);
  column.is_reached = bms_make_singleton(start);
  for (int i = 0; i < list_length(column.reached); ++i) {
    const ColumnGraph::Column& at = graph->columns[list_nth_int(column.reached, i)];
    column.sources = bms_add_member(column.sources, at.var->varno);
    ListCell* cell;
    foreach (cell, at.next) {
      if (bms_is_member(lfirst_int(cell), column.is_reached)) continue;
      column.is_reached = bms_add_member(column.is_reached, lfirst_int(cell));
      column.reached = lappend_int(column.reached, lfirst_int(cell));
    }
  }
  return column;
}

// Calls `visit(column)` for each column of one source that has an equality, until it returns true.
template <typename Visit>
void for_each_joined(FlatQuery* flat, int number, Visit visit) {
  ColumnGraph* const graph = graph_of(flat);
  for (int at = 0; at < graph->count; ++at)
    if (graph->columns[at].var->varno == number && graph->columns[at].next != NIL &&
        visit(reached_from(graph, at)))
      return;
}

// Returns a column of the source that is equal to `wanted`, or null.
Var* equal_column(FlatQuery* flat, int number, const Var* wanted) {
  Var* found = nullptr;
  const int place = index_of(graph_of(flat), wanted);
  if (place < 0) return found;
  for_each_joined(flat, number, [&](const ColumnGraph::Column& start) {
    if (bms_is_member(place, start.is_reached)) found = start.var;
    return found != nullptr;
  });
  return found;
}

// Returns whether an output column can be part of a key. Columns on the nullable side of an outer
// join cannot. If a row there changes, a row of the view can move to the group of NULL. The changed
// row does not contain that key.
bool can_be_key(const FlatQuery* flat, const FlatOutput* output) {
  Node* const expression = output->expression;
  if (!OidIsValid(key_equality(exprType(expression), exprCollation(expression)))) return false;
  if (contain_mutable_functions(expression)) return false;
  bool any = false;
  ListCell* cell;
  foreach (cell, pull_var_clause(expression, 0)) {
    const Var* var = static_cast<Var*>(lfirst(cell));
    // Number 0 marks an unknown part. System columns and whole rows are not captured.
    if (var->varno == 0 || var->varattno <= 0) return false;
    if (!bms_is_empty(source_at(flat, var->varno)->scope)) return false;
    any = true;
  }
  return any;
}

bool reads_only(Node* expression, int number) {
  ListCell* cell;
  foreach (cell, pull_var_clause(expression, 0))
    if (static_cast<Var*>(lfirst(cell))->varno != number) return false;
  return true;
}

// Returns the output column as an expression over the row of this source only. Returns null if it
// needs columns of another source that no equality replaces.
Node* as_row_expression(FlatQuery* flat, int number, const FlatOutput* output) {
  if (!can_be_key(flat, output)) return nullptr;
  Node* expression = output->expression;
  if (!reads_only(expression, number)) {
    if (!IsA(expression, Var)) return nullptr;
    expression =
        reinterpret_cast<Node*>(equal_column(flat, number, reinterpret_cast<Var*>(expression)));
    if (expression == nullptr) return nullptr;
  }
  expression = static_cast<Node*>(copyObjectImpl(expression));
  ChangeVarNodes(expression, number, 1, 0);
  return expression;
}

// Returns the key columns that are the columns of the index, or NIL if an index column is missing.
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

List* key_columns(FlatQuery* flat, int number, bool only_grouped) {
  List* keys = NIL;
  ListCell* cell;
  foreach (cell, flat->outputs) {
    const auto* output = static_cast<FlatOutput*>(lfirst(cell));
    if (only_grouped && !output->is_grouped) continue;
    Node* const expression = as_row_expression(flat, number, output);
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
    // An index that is not valid, or that covers only part of the rows, does not prove uniqueness.
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

List* joins_between(FlatQuery* flat, int from, int to) {
  List* joins = NIL;
  for_each_joined(flat, from, [&](const ColumnGraph::Column& start) {
    if (!bms_is_member(to, start.sources)) return false;
    ListCell* cell;
    foreach (cell, start.reached) {
      const Var* end = graph_of(flat)->columns[lfirst_int(cell)].var;
      if (end->varno != to || list_length(joins) == kMaxKeyColumns) continue;
      auto* const join = static_cast<JoinColumn*>(palloc(sizeof(JoinColumn)));
      *join = {start.var->varattno, end->varattno};
      joins = lappend(joins, join);
    }
    return false;
  });
  return joins;
}

}  // namespace metrics_refresh::engine
