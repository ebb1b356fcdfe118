#include "engine/definition/definition_size.hpp"

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

}  // namespace metrics_refresh::engine
