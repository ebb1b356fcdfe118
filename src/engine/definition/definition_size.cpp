// Measures a definition before it is planned or analyzed.
//
// The query tree is walked once, and each plain view, WITH query and table with policies is
// measured once. A reference to it then adds the measured size. For each query in FROM, the walk
// also records the size of each output column. The planner replaces a reference to such a column by
// the expression, so the reference counts as that many nodes. Example:
//   CREATE VIEW a AS SELECT x + x AS x FROM t;  -- the column has 4 nodes
//   CREATE VIEW b AS SELECT x + x AS x FROM a;  -- 10
//   CREATE VIEW c AS SELECT x + x AS x FROM b;  -- 22: it doubles with each view
// Sums stop at the limit plus one, so they cannot overflow.
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

// The sizes of the output columns of a relation or query, as a list of int in the order of the
// columns. A size counts all nodes after the planner has replaced columns of subqueries and views
// by their expressions. NIL if the columns are stored columns.
using Columns = List*;

struct Measured {
  Oid relation;  // a plain view, or a table with policies
  DefinitionSize size;
  Columns columns;
  bool is_open;  // its measurement has not ended
  Measured* next;
};

struct With {
  const char* name;
  DefinitionSize size;
  Columns columns;
};

// One query that is being measured. A WITH query is added to the size at each reference to it.
struct Level {
  Level* outer;
  List* withs;    // of With*, including those of outer queries; the innermost last
  List* entries;  // of Columns, in the order of the range table
};

struct Measure {
  Measured* known;
  Oid view;  // the view that the query defines
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

// The size of one expression. The total is unchanged; the caller adds the result if it must count.
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
  // A whole-row reference becomes a row constructor with all columns.
  int all = 1;
  if (var->varattno != InvalidAttrNumber) return all;
  ListCell* cell;
  foreach (cell, columns) all = std::min(kMostNodes + 1, all + lfirst_int(cell));
  return all;
}

// Returns the measurement of a relation. `measure_it(inner, own, relation)` is called only for the
// first reference.
template <typename MeasureIt>
const Measured* measure_once(Measure& measure, Oid oid, MeasureIt measure_it) {
  for (const Measured* one = measure.known; one != nullptr; one = one->next)
    if (one->relation == oid) return one;
  CHECK_FOR_INTERRUPTS();
  check_stack_depth();
  auto* const own = static_cast<Measured*>(palloc0(sizeof(Measured)));
  own->relation = oid;
  // The entry is in the list before its measurement begins, so that a circle of views ends there.
  own->is_open = true;
  own->next = measure.known;
  measure.known = own;
  // The query of another relation sees neither columns nor WITH queries of this one.
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

// Adds a table and the relations that its policies read. The policies count even if they do not
// apply to the owner of the view.
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
  // A reference to a column of VALUES counts as the largest expression in that column.
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
      // Before PostgreSQL 16 the range table of a view's query contains the view twice, as OLD and
      // NEW.
      if (entry->relid == measure.view && !entry->inFromCl) return NIL;
      if (entry->relkind == RELKIND_VIEW) return measure_view(measure, entry->relid);
      measure_table(measure, entry->relid);
      return NIL;
    default:
      return NIL;
  }
}

// A column of UNION, INTERSECT or EXCEPT counts as the sum of the columns of all parts.
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

// The size of the WITH query does not count until it is referenced.
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
  Query rest = *query;  // the parts that have not been measured yet
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

const char* reason_too_large(Query* definition, Oid view) {
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

const char* reason_not_refreshed(Query* definition, Oid view) {
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
