#include "engine/incremental/analysis/key_derivation.hpp"

#include "engine/definition/definition_size.hpp"
#include "engine/definition/with_queries.hpp"
#include "engine/incremental/analysis/key_columns.hpp"
#include "engine/incremental/analysis/unsupported.hpp"

// Each table of a query gets a rule, in three steps:
// - A table whose row gives a grouped output column, or output columns that are unique in the
//   table, gets rank 0. Such a key picks few rows of the view.
// - A table that is joined to a ranked table by equal columns gets the next higher rank.
// - If tables without a rank are left, those that give any output column get rank 0 after all, and
//   the second step is repeated. Their keys pick more rows, so they come last. If a table still has
//   no rank, then the definition is refused. Each branch of a UNION ALL is a query of its own, and
//   the rules of all branches are concatenated.
//
// Example:
//   SELECT s.region, sum(x.amount) FROM shops s JOIN sales x ON x.shop = s.id GROUP BY s.region
//   shops: rank 0, key column 1 = region; captures region
//   sales: rank 1, its shop equals shops.id; captures shop

namespace metrics_refresh::engine {
namespace {

constexpr int kUnranked = -1;

struct Ranker {
  FlatQuery* flat;
  KeySource* sources;  // those of this query
  int count;

  void assign_whole_keys();
  bool assign_parts_of_keys();
  bool assign_joins();
};

// Assigns rank 0 to tables with a grouped column or a unique key.
void Ranker::assign_whole_keys() {
  for (int i = 0; i < count; ++i) {
    List* keys = key_columns(flat, i + 1, true);
    if (keys == NIL)
      keys = unique_columns(key_columns(flat, i + 1, false), sources[i].entry->relid);
    sources[i].keys = keys;
    sources[i].rank = keys == NIL ? kUnranked : 0;
  }
}

// Assigns rank 0 to tables without a rank that give any output column.
bool Ranker::assign_parts_of_keys() {
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

// Assigns a rank to one more table, if it joins a ranked one. A join to the lowest rank is
// preferred, because each further rank costs one more look-up in a refresh.
bool Ranker::assign_joins() {
  for (int rank = 0; rank < count; ++rank)
    for (int i = 0; i < count; ++i) {
      CHECK_FOR_INTERRUPTS();
      for (int j = 0; j < count && sources[i].rank == kUnranked; ++j) {
        if (sources[j].rank != rank) continue;
        sources[i].joins = joins_between(flat, i + 1, j + 1);
        if (sources[i].joins == NIL) continue;
        sources[i].via = j;
        sources[i].rank = rank + 1;
        return true;
      }
    }
  return false;
}

void add_needed_columns(KeySource* source) {
  ListCell* cell;
  foreach (cell, source->keys) {
    ListCell* inner;
    foreach (inner, pull_var_clause(static_cast<KeyColumn*>(lfirst(cell))->expression, 0))
      source->columns = bms_add_member(source->columns, static_cast<Var*>(lfirst(inner))->varattno);
  }
  foreach (cell, source->joins)
    source->columns = bms_add_member(source->columns, static_cast<JoinColumn*>(lfirst(cell))->own);
}

void add_comparisons(const FlatQuery* flat, KeySource* sources, Derivation* result) {
  ListCell* cell;
  foreach (cell, flat->comparisons) {
    const auto* comparison = static_cast<FlatComparison*>(lfirst(cell));
    KeySource& source = sources[comparison->column->varno - 1];
    auto* const own = static_cast<KeyComparison*>(palloc(sizeof(KeyComparison)));
    *own = {comparison->column->varattno, comparison->expression};
    source.comparisons = lappend(source.comparisons, own);
    result->has_comparisons = true;
  }
}

// A UNION ALL calls this once for each branch. The sources of earlier branches are kept in front.
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
  ranker.assign_whole_keys();
  // Joins are exhausted before parts of keys are used, and tried again after each use.
  do {
    while (ranker.assign_joins()) {
    }
  } while (ranker.assign_parts_of_keys());
  for (int i = 0; i < count; ++i) {
    if (sources[i].rank == kUnranked)
      result->reason = psprintf(
          "no output column tells which rows a change of the table %s affects, and it joins no "
          "table of which one does by an equality of columns",
          get_rel_name(sources[i].entry->relid));
    add_needed_columns(&sources[i]);
    // `via` was an index into the sources of this branch.
    if (sources[i].rank > 0) sources[i].via += before;
  }
  add_comparisons(flat, sources, result);
  result->source_count = before + count;
}

// If a branch of a UNION ALL has another type or collation than the result, the server converts its
// values above the branch. The key of the result then differs from the value that is captured.
void drop_converted(FlatQuery* flat, const SetOperationStmt* whole) {
  ListCell* cell;
  foreach (cell, flat->outputs) {
    const auto* output = static_cast<FlatOutput*>(lfirst(cell));
    if (exprType(output->expression) != list_nth_oid(whole->colTypes, output->column - 1) ||
        exprCollation(output->expression) != list_nth_oid(whole->colCollations, output->column - 1))
      flat->outputs = foreach_delete_current(flat->outputs, cell);
  }
}

void derive_query(Query* query, const SetOperationStmt* whole, Derivation* result);

void derive_branches(Query* query, Node* node, const SetOperationStmt* whole, Derivation* result) {
  if (result->reason != nullptr) return;
  if (IsA(node, RangeTblRef)) {
    const RangeTblEntry* entry =
        rt_fetch(reinterpret_cast<RangeTblRef*>(node)->rtindex, query->rtable);
    return derive_query(entry->subquery, whole, result);
  }
  const auto* const operation = reinterpret_cast<SetOperationStmt*>(node);
  if (operation->op != SETOP_UNION || !operation->all) {
    result->reason = "it has a set operation other than UNION ALL";
    return;
  }
  derive_branches(query, operation->larg, whole, result);
  derive_branches(query, operation->rarg, whole, result);
}

void derive_query(Query* query, const SetOperationStmt* whole, Derivation* result) {
  result->reason = reason_against_query(query);
  if (result->reason != nullptr) return;
  if (query->setOperations != nullptr) {
    const auto* const operation = reinterpret_cast<SetOperationStmt*>(query->setOperations);
    return derive_branches(query, query->setOperations, whole != nullptr ? whole : operation,
                           result);
  }
  FlatQuery* const flat = flatten(query);
  result->reason = flat->reason;
  if (result->reason != nullptr) return;
  if (whole != nullptr) drop_converted(flat, whole);
  derive_from(flat, result);
}

void gather_tables(Derivation* result) {
  result->tables =
      static_cast<KeyTable*>(palloc0(sizeof(KeyTable) * static_cast<Size>(result->source_count)));
  // A table that occurs several times, as in a self join, is captured once with the columns of all
  // rules.
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

Derivation derive_keys(Query* definition, Oid view) {
  Derivation result = {};
  result.reason = reason_too_large(definition, view);
  if (result.reason == nullptr) result.reason = inline_with_queries(definition);
  if (result.reason == nullptr) derive_query(definition, nullptr, &result);
  if (result.reason != nullptr) return result;
  if (result.source_count == 0)
    result.reason = "it reads no table";
  else
    gather_tables(&result);
  return result;
}

}  // namespace metrics_refresh::engine
