// Reads, plans and runs the stored query of a materialized view.
#include "engine/definition/definition.hpp"

#include "pg/compat.hpp"
#include "pg/compat_execution.hpp"

namespace metrics_refresh::engine {
namespace {

// In the planner's units of cost. A second of work is some hundred thousand of them.
constexpr double kSmallCost = 50'000;

}  // namespace

Query* definition_of(Relation view) {
  const RuleLock* const rules = view->rd_rules;
  if (rules == nullptr || rules->numLocks != 1 || rules->rules[0]->event != CMD_SELECT ||
      !rules->rules[0]->isInstead || list_length(rules->rules[0]->actions) != 1)
    elog(ERROR, "materialized view \"%s\" has no proper rule", RelationGetRelationName(view));
  return linitial_node(Query, rules->rules[0]->actions);
}

PlannedStmt* plan_query(Query* query, const char* text, bool may_be_small) {
  // A stored query holds no locks on its relations. The rewriter needs them.
  AcquireRewriteLocks(query, true, false);
  List* const rewritten = QueryRewrite(query);
  if (list_length(rewritten) != 1) elog(ERROR, "a view's query became several");
  CHECK_FOR_INTERRUPTS();
  auto* const final = linitial_node(Query, rewritten);
  if (may_be_small) {
    // The planner changes its input, so the first of two plans is made from a copy.
    PlannedStmt* const plan = pg::plan(static_cast<Query*>(copyObjectImpl(final)), text, 0);
    if (plan->planTree->total_cost <= kSmallCost) return plan;
  }
  return pg::plan(final, text, CURSOR_OPT_PARALLEL_OK);
}

void run_plan(PlannedStmt* plan, DestReceiver* receiver, const char* text) {
  QueryDesc* const description = CreateQueryDesc(plan, text, GetActiveSnapshot(), InvalidSnapshot,
                                                 receiver, nullptr, nullptr, 0);
  // If a step raises an error, the abort of the transaction releases all that the executor holds.
  ExecutorStart(description, 0);
  pg::run_to_end(description);
  ExecutorFinish(description);
  ExecutorEnd(description);
  FreeQueryDesc(description);
}

DestReceiver receiver_calling(bool (*receive)(TupleTableSlot* slot, DestReceiver* self)) {
  DestReceiver receiver = {};
  receiver.receiveSlot = receive;
  receiver.rStartup = [](DestReceiver*, int, TupleDesc) {};
  receiver.rShutdown = [](DestReceiver*) {};
  receiver.rDestroy = [](DestReceiver*) {};
  receiver.mydest = DestNone;
  return receiver;
}

bool is_partial(Relation index) {
  return !heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, nullptr);
}

bool has_virtual_columns(Oid table) {
  Relation const relation = try_relation_open(table, AccessShareLock);
  if (relation == nullptr) return false;
  const bool found = pg::has_virtual_columns(relation);
  relation_close(relation, NoLock);
  return found;
}

}  // namespace metrics_refresh::engine
