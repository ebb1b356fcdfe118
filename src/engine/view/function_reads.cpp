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

// The search for one view. It follows plain views, which may call further functions.
struct Walk {
  Oid view;
  Oid owner;
  std::vector<Oid> functions;  // that are not looked into yet
  std::vector<Oid> views;      // plain ones that were found last
  std::set<Oid> seen;          // ends the loop if a plain view calls a function that reads it again
  std::set<Oid> ends;
};

// The functions of a view may read views with functions, and so on. The depth is limited, because
// any role can make such views.
constexpr int kMostLevels = 50;

void look_into_functions(Walk& walk) {
  walk.views.clear();
  if (walk.functions.empty()) return;
  pg::call([] { CHECK_FOR_INTERRUPTS(); });
  for (const Oid relation : read_as(walk.owner, walk.functions)) {
    if (!walk.seen.insert(relation).second) continue;
    if (is_plain_view(relation))
      walk.views.push_back(relation);
    else
      walk.ends.insert(relation);
  }
  walk.functions.clear();
}

// Two queries for all walks together, because there may be many.
void look_into_views(pg::Spi& spi, std::vector<Walk>& walks, const std::set<Oid>& all) {
  const std::vector<Oid> views(all.begin(), all.end());
  std::map<Oid, std::vector<Oid>> relations;
  std::map<Oid, std::vector<Oid>> functions;
  for (const store::RuleRead& below : store::relations_in_rules(spi, views))
    relations[below.view].push_back(below.object);
  for (const store::RuleRead& below : store::functions_in_rules(spi, views))
    functions[below.view].push_back(below.object);
  for (Walk& walk : walks)
    for (const Oid view : walk.views) {
      const std::vector<Oid>& ends = relations[view];
      const std::vector<Oid>& called = functions[view];
      walk.ends.insert(ends.begin(), ends.end());
      walk.functions.insert(walk.functions.end(), called.begin(), called.end());
    }
}

}  // namespace

std::vector<FunctionRead> reads_by_functions(pg::Spi& spi, const std::vector<Oid>& views) {
  std::map<std::pair<Oid, Oid>, std::vector<Oid>> functions;  // by view and owner
  for (const store::RuleRead& named : store::functions_in_rules(spi, views))
    functions[{named.view, named.owner}].push_back(named.object);
  std::vector<Walk> walks;
  for (auto& [view, called] : functions)
    walks.push_back({view.first, view.second, std::move(called), {}, {}, {}});
  for (int level = 0; level < kMostLevels; ++level) {
    std::set<Oid> found;
    for (Walk& walk : walks) {
      look_into_functions(walk);
      found.insert(walk.views.begin(), walk.views.end());
    }
    if (found.empty()) break;
    look_into_views(spi, walks, found);
  }
  std::vector<FunctionRead> reads;
  for (const Walk& walk : walks)
    for (const Oid relation : walk.ends) reads.push_back({walk.view, walk.owner, relation});
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
