#include "engine/definition/reading.hpp"

namespace metrics_refresh::engine {

Query* reading_of(Oid relation) {
  auto* const query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->canSetTag = true;
  auto* const entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_RELATION;
  entry->relid = relation;
  entry->relkind = get_rel_relkind(relation);
  entry->rellockmode = AccessShareLock;
  entry->inh = true;
  entry->inFromCl = true;
  entry->eref = makeAlias(get_rel_name(relation), NIL);
  query->rtable = list_make1(entry);
#if PG_VERSION_NUM >= 160000
  addRTEPermissionInfo(&query->rteperminfos, entry)->requiredPerms = ACL_SELECT;
#else
  entry->requiredPerms = ACL_SELECT;
#endif
  auto* const reference = makeNode(RangeTblRef);
  reference->rtindex = 1;
  query->jointree = makeFromExpr(list_make1(reference), nullptr);
  return query;
}

}  // namespace metrics_refresh::engine
