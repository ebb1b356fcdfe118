#include "engine/key_derivation.hpp"

#include "engine/flat_query.hpp"
#include "engine/refusals.hpp"

namespace metrics_refresh::engine {
namespace {

constexpr int kUnranked = -1;

FlatSource* source_at(const FlatQuery* flat, int number) {
  return static_cast<FlatSource*>(list_nth(flat->sources, number - 1));
}

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

// The key columns that are unique in the table already, without the others; or NIL.
List* unique_columns(List* keys, Oid table) {
  Relation const relation = table_open(table, AccessShareLock);
  List* best = NIL;
  ListCell* cell;
  foreach (cell, RelationGetIndexList(relation)) {
    Relation const index = index_open(lfirst_oid(cell), AccessShareLock);
    const Form_pg_index form = index->rd_index;
    if (form->indisunique && form->indisvalid && RelationGetIndexPredicate(index) == NIL) {
      List* const columns = columns_of_index(keys, form);
      if (columns != NIL && (best == NIL || list_length(columns) < list_length(best)))
        best = columns;
    }
    index_close(index, AccessShareLock);
  }
  table_close(relation, NoLock);
  return best;
}

struct Ranker {
  const FlatQuery* flat;
  KeySource* sources;  // those of this query
  int count;

  void take_whole_keys();
  bool take_parts_of_keys();
  bool take_joins();
  List* joins_between(int from, int to) const;
};

// A grouped column, or what is unique already.
void Ranker::take_whole_keys() {
  for (int i = 0; i < count; ++i) {
    List* keys = key_columns(flat, i + 1, true);
    if (keys == NIL)
      keys = unique_columns(key_columns(flat, i + 1, false), sources[i].entry->relid);
    sources[i].keys = keys;
    sources[i].rank = keys == NIL ? kUnranked : 0;
  }
}

bool Ranker::take_parts_of_keys() {
  bool any = false;
  for (int i = 0; i < count; ++i) {
    if (sources[i].rank != kUnranked) continue;
    sources[i].keys = key_columns(flat, i + 1, false);
    if (sources[i].keys == NIL) continue;
    sources[i].rank = 0;
    any = true;
  }
  return any;
}

List* Ranker::joins_between(int from, int to) const {
  List* joins = NIL;
  ListCell* cell;
  foreach (cell, joined_columns(flat, from + 1)) {
    Var* const start = static_cast<Var*>(lfirst(cell));
    ListCell* inner;
    foreach (inner, reached_from(flat, start)) {
      const Var* end = static_cast<Var*>(lfirst(inner));
      if (end->varno != to + 1 || list_length(joins) == kMaxKeyColumns) continue;
      auto* const join = static_cast<JoinColumn*>(palloc(sizeof(JoinColumn)));
      *join = {start->varattno, end->varattno};
      joins = lappend(joins, join);
    }
  }
  return joins;
}

// One table more that joins one that has a rank, of the lowest where there are several.
bool Ranker::take_joins() {
  for (int rank = 0; rank < count; ++rank)
    for (int i = 0; i < count; ++i)
      for (int j = 0; j < count && sources[i].rank == kUnranked; ++j) {
        if (sources[j].rank != rank) continue;
        sources[i].joins = joins_between(i, j);
        if (sources[i].joins == NIL) continue;
        sources[i].via = j;
        sources[i].rank = rank + 1;
        return true;
      }
  return false;
}

void note_columns(KeySource* source) {
  ListCell* cell;
  foreach (cell, source->keys) {
    ListCell* inner;
    foreach (inner, pull_var_clause(static_cast<KeyColumn*>(lfirst(cell))->expression, 0))
      source->columns = bms_add_member(source->columns, static_cast<Var*>(lfirst(inner))->varattno);
  }
  foreach (cell, source->joins)
    source->columns = bms_add_member(source->columns, static_cast<JoinColumn*>(lfirst(cell))->own);
}

void add_edges(const FlatQuery* flat, KeySource* sources, Derivation* result) {
  ListCell* cell;
  foreach (cell, flat->edges) {
    const auto* edge = static_cast<FlatEdge*>(lfirst(cell));
    KeySource& source = sources[edge->column->varno - 1];
    auto* const own = static_cast<KeyEdge*>(palloc(sizeof(KeyEdge)));
    *own = {edge->column->varattno, edge->expression};
    source.edges = lappend(source.edges, own);
    result->has_edges = true;
  }
}

void derive_from(FlatQuery* flat, Derivation* result) {
  const int before = result->source_count;
  const int count = list_length(flat->sources);
  if (count == 0) return;
  const Size size = sizeof(KeySource) * static_cast<Size>(before + count);
  result->sources =
      static_cast<KeySource*>(before == 0 ? palloc(size) : repalloc(result->sources, size));
  KeySource* const sources = result->sources + before;
  memset(sources, 0, sizeof(KeySource) * static_cast<Size>(count));
  for (int i = 0; i < count; ++i) {
    sources[i].entry = source_at(flat, i + 1)->entry;
    sources[i].permission = source_at(flat, i + 1)->permission;
  }
  Ranker ranker = {flat, sources, count};
  ranker.take_whole_keys();
  do {
    while (ranker.take_joins()) {
    }
  } while (ranker.take_parts_of_keys());
  for (int i = 0; i < count; ++i) {
    if (sources[i].rank == kUnranked)
      result->refusal = psprintf(
          "no output column tells which rows a change of the table %s affects, and it joins no "
          "table of which one does by an equality of columns",
          get_rel_name(sources[i].entry->relid));
    note_columns(&sources[i]);
    if (sources[i].rank > 0) sources[i].via += before;
  }
  add_edges(flat, sources, result);
  result->source_count = before + count;
}

// A type that one branch of a UNION ALL has otherwise is converted behind it.
void drop_converted(FlatQuery* flat, List* types) {
  ListCell* cell;
  foreach (cell, flat->outputs) {
    const auto* output = static_cast<FlatOutput*>(lfirst(cell));
    if (exprType(output->expression) != list_nth_oid(types, output->column - 1))
      flat->outputs = foreach_delete_current(flat->outputs, cell);
  }
}

void derive_query(Query* query, List* types, Derivation* result);

void derive_branches(Query* query, Node* node, List* types, Derivation* result) {
  if (result->refusal != nullptr) return;
  if (IsA(node, RangeTblRef)) {
    const RangeTblEntry* entry =
        rt_fetch(reinterpret_cast<RangeTblRef*>(node)->rtindex, query->rtable);
    return derive_query(entry->subquery, types, result);
  }
  const auto* const operation = reinterpret_cast<SetOperationStmt*>(node);
  if (operation->op != SETOP_UNION || !operation->all) {
    result->refusal = "it has a set operation other than UNION ALL";
    return;
  }
  derive_branches(query, operation->larg, types, result);
  derive_branches(query, operation->rarg, types, result);
}

void derive_query(Query* query, List* types, Derivation* result) {
  result->refusal = why_not_kept(query);
  if (result->refusal != nullptr) return;
  if (query->setOperations != nullptr) {
    const auto* const operation = reinterpret_cast<SetOperationStmt*>(query->setOperations);
    return derive_branches(query, query->setOperations, types != NIL ? types : operation->colTypes,
                           result);
  }
  FlatQuery* const flat = flatten(query);
  result->refusal = flat->refusal;
  if (result->refusal != nullptr) return;
  if (types != NIL) drop_converted(flat, types);
  derive_from(flat, result);
}

void gather_tables(Derivation* result) {
  result->tables =
      static_cast<KeyTable*>(palloc0(sizeof(KeyTable) * static_cast<Size>(result->source_count)));
  for (int i = 0; i < result->source_count; ++i) {
    const KeySource& source = result->sources[i];
    int at = 0;
    while (at < result->table_count && result->tables[at].oid != source.entry->relid) ++at;
    if (at == result->table_count) result->tables[result->table_count++].oid = source.entry->relid;
    KeyTable& table = result->tables[at];
    table.columns = bms_add_members(table.columns, source.columns);
  }
}

}  // namespace

Derivation derive_keys(Query* definition) {
  Derivation result = {};
  derive_query(definition, NIL, &result);
  if (result.refusal != nullptr) return result;
  if (result.source_count == 0)
    result.refusal = "it reads no table";
  else
    gather_tables(&result);
  return result;
}

}  // namespace metrics_refresh::engine
