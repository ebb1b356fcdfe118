// Finds the relations that views read in the bodies of functions.
//
// The functions in the rules of the views come from pg_depend. The search then follows bodies of
// functions (reach.hpp) and rules of plain views in turn, until only tables and materialized views
// are left. Example:
//   view m calls f(), f() reads the plain view v, and v reads t and calls g(), which reads u
// yields t and u for the view m.
#include "engine/view/function_reads.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "engine/definition/reach.hpp"
#include "pg/identity.hpp"
#include "store/groups.hpp"
#include "store/rule_reads.hpp"

namespace metrics_refresh::engine {
namespace {

// The relations that the current role reads if it calls these functions, in the current memory
// context.
List* relations_read(const Oid* functions, int count) {
  Reach reach = {};
  for (int i = 0; i < count; ++i) follow(reach, functions[i]);
  List* relations = NIL;
  ListCell* cell;
  foreach (cell, reach.reads)
    relations =
        list_append_unique_oid(relations, static_cast<ReadByFunction*>(lfirst(cell))->relation);
  return relations;
}

std::vector<Oid> read_as(Oid owner, const std::vector<Oid>& functions) {
  const Oid* const first = functions.data();
  const int count = static_cast<int>(functions.size());
  // Rights and lookups of names depend on the role that runs the definition.
  pg::ActAs scope(owner);
  const List* const found = pg::call([=] { return relations_read(first, count); });
  std::vector<Oid> relations;
  for (int i = 0; i < list_length(found); ++i) relations.push_back(list_nth_oid(found, i));
  return relations;
}

bool is_plain_view(Oid relation) {
  return pg::call([relation] { return get_rel_relkind(relation); }) == RELKIND_VIEW;
}

// Follows plain views, which may call further functions.
std::set<Oid> read_through(pg::Spi& spi, Oid owner, std::vector<Oid> functions) {
  // A plain view may call a function that reads it again. `seen` ends the loop.
  std::set<Oid> seen;
  std::set<Oid> ends;
  while (!functions.empty()) {
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
    std::vector<Oid> views;
    for (const Oid relation : read_as(owner, functions)) {
      if (!seen.insert(relation).second) continue;
      if (is_plain_view(relation))
        views.push_back(relation);
      else
        ends.insert(relation);
    }
    functions.clear();
    for (const store::RuleRead& below : store::relations_in_rules(spi, views))
      ends.insert(below.object);
    for (const store::RuleRead& below : store::functions_in_rules(spi, views))
      functions.push_back(below.object);
  }
  return ends;
}

}  // namespace

std::vector<FunctionRead> reads_by_functions(pg::Spi& spi, const std::vector<Oid>& views) {
  std::map<std::pair<Oid, Oid>, std::vector<Oid>> functions;  // by view and owner
  for (const store::RuleRead& named : store::functions_in_rules(spi, views))
    functions[{named.view, named.owner}].push_back(named.object);
  std::vector<FunctionRead> reads;
  for (const auto& [view, called] : functions)
    for (const Oid relation : read_through(spi, view.second, called))
      reads.push_back({view.first, view.second, relation});
  return reads;
}

std::vector<std::pair<int, int>> dependencies(pg::Spi& spi, const std::vector<Oid>& views) {
  std::vector<std::pair<int, int>> edges = store::dependencies(spi, views);
  std::map<Oid, int> places;
  for (std::size_t i = 0; i < views.size(); ++i)
    // A member of a group may have no view at the moment. It keeps its place in the list.
    if (OidIsValid(views[i])) places.emplace(views[i], static_cast<int>(i));
  for (const FunctionRead& read : reads_by_functions(spi, views)) {
    const auto dependent = places.find(read.view);
    const auto referenced = places.find(read.relation);
    if (dependent != places.end() && referenced != places.end())
      edges.emplace_back(dependent->second, referenced->second);
  }
  return edges;
}

}  // namespace metrics_refresh::engine
