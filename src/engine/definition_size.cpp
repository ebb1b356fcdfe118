#include "engine/definition_size.hpp"

#include "engine/tree.hpp"

namespace metrics_refresh::engine {
namespace {

struct Measured {
  Oid view;
  DefinitionSize size;
  bool is_open;  // it is being measured
  Measured* next;
};

// Of one query; WITH queries count where they are read.
struct Level {
  List* with_names;  // of char*, the innermost last
  List* with_sizes;  // of int, in the same order
};

struct Measure {
  Measured* known;
  Oid view;  // whose query it is
  DefinitionSize size;
  Level* level;
};

void add(DefinitionSize& to, int references) {
  to.references = std::min(kMostReferences + 1, to.references + references);
}

bool measure_node(Node* node, void* context);

DefinitionSize measure_view(Measure& measure, Oid oid) {
  for (Measured* one = measure.known; one != nullptr; one = one->next) {
    if (one->view != oid) continue;
    if (one->is_open) return {1, 1, true};
    return one->size;
  }
  CHECK_FOR_INTERRUPTS();
  check_stack_depth();
  auto* const own = static_cast<Measured*>(palloc0(sizeof(Measured)));
  own->view = oid;
  own->is_open = true;
  own->next = measure.known;
  measure.known = own;
  Measure inner = {measure.known, oid, {}, nullptr};
  Relation const view = table_open(oid, AccessShareLock);
  (void)measure_node(reinterpret_cast<Node*>(get_view_query(view)), &inner);
  table_close(view, NoLock);
  measure.known = inner.known;
  own->is_open = false;
  own->size = {std::max(1, inner.size.references), inner.size.view_depth + 1,
               inner.size.is_circular};
  return own->size;
}

void measure_entry(Measure& measure, const RangeTblEntry* entry) {
  if (entry->rtekind == RTE_CTE) {
    const int count = list_length(measure.level->with_names);
    for (int i = count - 1; i >= 0; --i)
      if (strcmp(static_cast<char*>(list_nth(measure.level->with_names, i)), entry->ctename) == 0)
        return add(measure.size, list_nth_int(measure.level->with_sizes, i));
    return;
  }
  if (entry->rtekind != RTE_RELATION) return;
  // Before PostgreSQL 16 a view's query has the view in its list twice, as OLD and NEW.
  if (entry->relid == measure.view && !entry->inFromCl) return;
  if (entry->relkind != RELKIND_VIEW) return add(measure.size, 1);
  const DefinitionSize inner = measure_view(measure, entry->relid);
  add(measure.size, inner.references);
  measure.size.view_depth = std::max(measure.size.view_depth, inner.view_depth);
  measure.size.is_circular = measure.size.is_circular || inner.is_circular;
}

// A WITH query by itself; where it is never read it costs as much as if it were, once.
int measure_with(Measure& measure, const CommonTableExpr* with) {
  const int before = measure.size.references;
  measure.size.references = 0;
  (void)measure_node(with->ctequery, &measure);
  const int own = measure.size.references;
  measure.size.references = before;
  return own;
}

void measure_query(Measure& measure, Query* query) {
  Level level = {};
  Level* const outer = measure.level;
  if (outer != nullptr) level = {list_copy(outer->with_names), list_copy(outer->with_sizes)};
  measure.level = &level;
  ListCell* cell;
  foreach (cell, query->cteList) {
    const auto* with = lfirst_node(CommonTableExpr, cell);
    const int own = measure_with(measure, with);
    level.with_names = lappend(level.with_names, with->ctename);
    level.with_sizes = lappend_int(level.with_sizes, own);
  }
  foreach (cell, query->rtable) measure_entry(measure, lfirst_node(RangeTblEntry, cell));
  (void)query_tree_walker(query, as_visitor(measure_node), &measure, QTW_IGNORE_CTE_SUBQUERIES);
  measure.level = outer;
}

bool measure_node(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return walk_expression(node, measure_node, context);
  measure_query(*static_cast<Measure*>(context), reinterpret_cast<Query*>(node));
  return false;
}

bool count_node(Node* node, void* context) {
  if (node == nullptr) return false;
  if (!IsA(node, Query)) return walk_expression(node, count_node, context);
  auto* const query = reinterpret_cast<Query*>(node);
  *static_cast<int*>(context) += list_length(query->rtable);
  return query_tree_walker(query, as_visitor(count_node), context, 0);
}

}  // namespace

DefinitionSize size_of(Query* definition, Oid view) {
  Measure measure = {nullptr, view, {}, nullptr};
  (void)measure_node(reinterpret_cast<Node*>(definition), &measure);
  return measure.size;
}

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
  return nullptr;
}

int count_references(Query* query) {
  int count = 0;
  (void)count_node(reinterpret_cast<Node*>(query), &count);
  return count;
}

}  // namespace metrics_refresh::engine
