#include "engine/definition.hpp"

namespace metrics_refresh::engine {

Query* definition_of(Relation view) {
  const RuleLock* const rules = view->rd_rules;
  if (rules == nullptr || rules->numLocks != 1 || rules->rules[0]->event != CMD_SELECT ||
      !rules->rules[0]->isInstead || list_length(rules->rules[0]->actions) != 1)
    elog(ERROR, "materialized view \"%s\" has no proper rule", RelationGetRelationName(view));
  return linitial_node(Query, rules->rules[0]->actions);
}

void run_definition(Relation view, DestReceiver* receiver, const char* text) {
  // Rewriting and planning scribble on it.
  auto* const query = static_cast<Query*>(copyObjectImpl(definition_of(view)));
  AcquireRewriteLocks(query, true, false);
  List* const rewritten = QueryRewrite(query);
  if (list_length(rewritten) != 1) elog(ERROR, "a view's query became several");
  CHECK_FOR_INTERRUPTS();
  PlannedStmt* const plan =
      pg_plan_query(linitial_node(Query, rewritten), text, CURSOR_OPT_PARALLEL_OK, nullptr);
  QueryDesc* const description = CreateQueryDesc(plan, text, GetActiveSnapshot(), InvalidSnapshot,
                                                 receiver, nullptr, nullptr, 0);
  ExecutorStart(description, 0);
#if PG_VERSION_NUM >= 180000
  ExecutorRun(description, ForwardScanDirection, 0);
#else
  ExecutorRun(description, ForwardScanDirection, 0, true);
#endif
  ExecutorFinish(description);
  ExecutorEnd(description);
  FreeQueryDesc(description);
}

}  // namespace metrics_refresh::engine
