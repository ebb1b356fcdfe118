#include "engine/definition/definition_size.hpp"

#include <algorithm>
#include <utility>

#include "engine/definition/tree.hpp"

namespace metrics_refresh::engine {
namespace {

bool count_node(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return walk_expression(node, count_node, context);
  auto* const query = reinterpret_cast<Query*>(node);
  *static_cast<int*>(context) += list_length(query->rtable);
  return query_tree_walker(query, as_visitor(count_node), context, 0);
}

const char* too_many_nodes(const char* it) {
  return psprintf(
      "%s has expressions of more than %d parts, those of plain views counted wherever they are "
      "read",
      it, kMostNodes);
}

// What a column comes to once all that it is computed from stands in its place, by the numbers of
// columns: a list of int. NIL where a column is a column and no more.
using Columns = List*;

struct Measured {
  Oid relation;  // a plain view, or a table with policies
  DefinitionSize size;
  Columns columns;
  bool is_open;  // it is being measured
  Measured* next;
};

struct With {
  const char* name;
  DefinitionSize size;
  Columns columns;
};

// Of one query; WITH queries count where they are read.
struct Level {
  Level* outer;
  List* withs;    // of With*, those of outer queries too; the innermost last
  List* entries;  // of Columns, in the order of the query's FROM
};

struct Measure {
  Measured* known;
  Oid view;  // whose query it is
  DefinitionSize size;
  Level* level;
};

void add_references(Measure& to, int references) {
  to.size.references = std::min(kMostReferences + 1, to.size.references + references);
}

void add_nodes(Measure& to, int nodes) {
  to.size.nodes = std::min(kMostNodes + 1, to.size.nodes + nodes);
}

void add(Measure& to, const DefinitionSize& read) {
  add_references(to, read.references);
  add_nodes(to, read.nodes);
  to.size.view_depth = std::max(to.size.view_depth, read.view_depth);
  to.size.is_circular = to.size.is_circular || read.is_circular;
}

bool measure_node(Node* node, void* context);
Columns measure_query(Measure& measure, Query* query);

// Counted in the whole as well only where the caller adds it.
int nodes_of(Measure& measure, Node* node) {
  const int before = std::exchange(measure.size.nodes, 0);
  (void)measure_node(node, &measure);
  return std::max(1, std::exchange(measure.size.nodes, before));
}

int size_of_column(const Measure& measure, const Var* var) {
  const Level* level = measure.level;
  for (Index up = var->varlevelsup; up > 0 && level != nullptr; --up) level = level->outer;
  if (level == nullptr || var->varno < 1 || var->varno > list_length(level->entries)) return 1;
  const auto* const columns = static_cast<Columns>(list_nth(level->entries, var->varno - 1));
  if (var->varattno > 0 && var->varattno <= list_length(columns))
    return list_nth_int(columns, var->varattno - 1);
  int all = 1;
  if (var->varattno != InvalidAttrNumber) return all;
  ListCell* cell;
  foreach (cell, columns) all = std::min(kMostNodes + 1, all + lfirst_int(cell));
  return all;
}

// `measure_it(inner, own)` measures a relation that is seen for the first time.
template <typename MeasureIt>
const Measured* measure_once(Measure& measure, Oid oid, MeasureIt measure_it) {
  for (const Measured* one = measure.known; one != nullptr; one = one->next)
    if (one->relation == oid) return one;
  CHECK_FOR_INTERRUPTS();
  check_stack_depth();
  auto* const own = static_cast<Measured*>(palloc0(sizeof(Measured)));
  own->relation = oid;
  own->is_open = true;
  own->next = measure.known;
  measure.known = own;
  Measure inner = {measure.known, oid, {}, nullptr};
  Relation const relation = table_open(oid, AccessShareLock);
  measure_it(inner, *own, relation);
  table_close(relation, NoLock);
  measure.known = inner.known;
  own->is_open = false;
  own->size = inner.size;
  return own;
}

Columns measure_view(Measure& measure, Oid oid) {
  const Measured* const view =
      measure_once(measure, oid, [](Measure& inner, Measured& own, Relation relation) {
        own.columns = measure_query(inner, get_view_query(relation));
        inner.size.references = std::max(1, inner.size.references);
        ++inner.size.view_depth;
      });
  add(measure, view->is_open ? DefinitionSize{1, 1, true, 1} : view->size);
  return view->columns;
}

bool has_policies(Oid table) {
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(tuple)) return false;
  const bool has = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relrowsecurity;
  ReleaseSysCache(tuple);
  return has;
}

// A table with what its policies read. Whether they hold for the view's owner is not asked.
void measure_table(Measure& measure, Oid oid) {
  add_references(measure, 1);
  if (!has_policies(oid)) return;
  const Measured* const table =
      measure_once(measure, oid, [](Measure& inner, Measured&, Relation relation) {
        if (relation->rd_rsdesc == nullptr) return;
        ListCell* cell;
        foreach (cell, relation->rd_rsdesc->policies)
          (void)measure_node(
              reinterpret_cast<Node*>(static_cast<RowSecurityPolicy*>(lfirst(cell))->qual), &inner);
      });
  if (!table->is_open) add(measure, table->size);
}

Columns measure_with_where_read(Measure& measure, const char* name) {
  const List* const withs = measure.level->withs;
  for (int i = list_length(withs) - 1; i >= 0; --i) {
    const auto* const with = static_cast<With*>(list_nth(withs, i));
    if (strcmp(with->name, name) != 0) continue;
    add(measure, with->size);
    return with->columns;
  }
  return NIL;
}

Columns measure_all(Measure& measure, const List* expressions) {
  Columns columns = NIL;
  ListCell* cell;
  foreach (cell, expressions)
    columns = lappend_int(columns, nodes_of(measure, static_cast<Node*>(lfirst(cell))));
  return columns;
}

void add_all(Measure& measure, Columns columns) {
  ListCell* cell;
  foreach (cell, columns) add_nodes(measure, lfirst_int(cell));
}

Columns measure_values(Measure& measure, const RangeTblEntry* entry) {
  Columns largest = NIL;
  ListCell* cell;
  foreach (cell, entry->values_lists) {
    const Columns row = measure_all(measure, lfirst_node(List, cell));
    add_all(measure, row);
    for (int i = 0; i < list_length(largest); ++i)
      lfirst_int(list_nth_cell(row, i)) = std::max(list_nth_int(row, i), list_nth_int(largest, i));
    largest = row;
  }
  return largest;
}

Columns measure_entry(Measure& measure, const RangeTblEntry* entry) {
  (void)measure_node(reinterpret_cast<Node*>(entry->tablesample), &measure);
  (void)measure_node(reinterpret_cast<Node*>(entry->functions), &measure);
  (void)measure_node(reinterpret_cast<Node*>(entry->tablefunc), &measure);
  if (pg::is_of_groups(entry)) {
    const Columns columns = measure_all(measure, pg::group_expressions(entry));
    add_all(measure, columns);
    return columns;
  }
  switch (entry->rtekind) {
    case RTE_CTE:
      return measure_with_where_read(measure, entry->ctename);
    case RTE_SUBQUERY:
      return measure_query(measure, entry->subquery);
    case RTE_JOIN:
      return measure_all(measure, entry->joinaliasvars);
    case RTE_VALUES:
      return measure_values(measure, entry);
    case RTE_RELATION:
      // Before PostgreSQL 16 a view's query has the view in its list twice, as OLD and NEW.
      if (entry->relid == measure.view && !entry->inFromCl) return NIL;
      if (entry->relkind == RELKIND_VIEW) return measure_view(measure, entry->relid);
      measure_table(measure, entry->relid);
      return NIL;
    default:
      return NIL;
  }
}

// Of UNION and its like each column stands for those of all parts.
Columns columns_of_parts(const List* entries, int count) {
  Columns columns = NIL;
  for (int i = 0; i < count; ++i) {
    int sum = 0;
    ListCell* cell;
    foreach (cell, entries) {
      const auto* const part = static_cast<Columns>(lfirst(cell));
      if (i < list_length(part)) sum = std::min(kMostNodes + 1, sum + list_nth_int(part, i));
    }
    columns = lappend_int(columns, std::max(1, sum));
  }
  return columns;
}

// A WITH query by itself.
void measure_with(Measure& measure, Level& level, const CommonTableExpr* with) {
  auto* const own = static_cast<With*>(palloc0(sizeof(With)));
  own->name = with->ctename;
  const DefinitionSize before = std::exchange(measure.size, {});
  own->columns = measure_query(measure, castNode(Query, with->ctequery));
  own->size = std::exchange(measure.size, before);
  level.withs = lappend(level.withs, own);
}

Columns measure_query(Measure& measure, Query* query) {
  CHECK_FOR_INTERRUPTS();
  check_stack_depth();
  Level level = {measure.level, NIL, NIL};
  if (level.outer != nullptr) level.withs = list_copy(level.outer->withs);
  measure.level = &level;
  ListCell* cell;
  foreach (cell, query->cteList) measure_with(measure, level, lfirst_node(CommonTableExpr, cell));
  foreach (cell, query->rtable) {
    const Columns columns = measure_entry(measure, lfirst_node(RangeTblEntry, cell));
    level.entries = lappend(level.entries, columns);
  }
  Columns columns = measure_all(measure, query->targetList);
  add_all(measure, columns);
  if (query->setOperations != nullptr)
    columns = columns_of_parts(level.entries, list_length(query->targetList));
  Query rest = *query;  // of which nothing has been measured yet
  rest.cteList = rest.rtable = rest.targetList = NIL;
  (void)query_tree_walker(&rest, as_visitor(measure_node), &measure, 0);
  measure.level = level.outer;
  return columns;
}

bool measure_node(Node* node, void* context) {
  if (node == nullptr) return false;
  auto& measure = *static_cast<Measure*>(context);
  if (IsA(node, Query)) {
    (void)measure_query(measure, reinterpret_cast<Query*>(node));
    return false;
  }
  if (IsA(node, Var)) {
    add_nodes(measure, size_of_column(measure, reinterpret_cast<Var*>(node)));
    return false;
  }
  add_nodes(measure, IsA(node, SubLink) ? kNodesOfSubquery : 1);
  return walk_expression(node, measure_node, context);
}

}  // namespace

const char* why_too_large(Query* definition, Oid view) {
  const DefinitionSize size = size_of(definition, view);
  if (size.is_circular) return "plain views that it reads read each other in a circle";
  if (size.view_depth > kMaxViewDepth)
    return psprintf("it reads more than %d plain views above each other", kMaxViewDepth);
  if (size.references > kMaxReferences)
    return psprintf(
        "it reads more than %d relations, those of plain views counted wherever they "
        "are read",
        kMaxReferences);
  if (size.nodes > kMostNodes) return too_many_nodes("it");
  return nullptr;
}

const char* why_not_refreshed(Query* definition, Oid view) {
  const DefinitionSize size = size_of(definition, view);
  if (size.references > kMostReferences)
    return psprintf(
        "It reads more than %d relations, those of plain views counted wherever they are read.",
        kMostReferences);
  if (size.nodes > kMostNodes) return psprintf("%s.", too_many_nodes("It"));
  return nullptr;
}

int count_references(Query* query) {
  int count = 0;
  (void)count_node(reinterpret_cast<Node*>(query), &count);
  return count;
}

DefinitionSize size_of(Query* definition, Oid view) {
  Measure measure = {nullptr, view, {}, nullptr};
  (void)measure_query(measure, definition);
  return measure.size;
}

}  // namespace metrics_refresh::engine
