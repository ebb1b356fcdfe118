// The stored query of a materialized view, and functions to plan and run queries.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The query as CREATE MATERIALIZED VIEW stored it in the rule of the view. It must not be changed.
/// Raises XX000 if the view has no such rule. REQUIRES: inside pg::call(); `view` is open.
Query* definition_of(Relation view);

/// True if a table has virtual generated columns (from PostgreSQL 18 on). Their expressions are
/// inserted into a query only when it is planned. No trigger sees their values change. They can be
/// redefined without a change of the table's storage. REQUIRES: inside pg::call().
bool has_virtual_columns(Oid table);

/// True if an index has a predicate. RelationGetIndexPredicate() is not used, because it simplifies
/// the predicate. That runs functions of the owner of the index with the rights of the caller.
/// REQUIRES: inside pg::call().
bool is_partial(Relation index);

/// Plans a query and destroys it. The plan may be parallel. If `may_be_small`, a parallel plan is
/// tried only if the serial plan is expensive. For a few rows, the start of another process takes
/// longer than the work. `text` is shown in activity views and logs; it must live as long as the
/// plan. REQUIRES: inside pg::call().
PlannedStmt* plan_query(Query* query, const char* text, bool may_be_small = false);

/// Runs a plan under the active snapshot and passes each row to `receiver`. Rights and settings are
/// the current ones. REQUIRES: inside pg::call().
void run_plan(PlannedStmt* plan, DestReceiver* receiver, const char* text);

/// A destination of the executor that calls `receive` with each row and with itself. The caller
/// makes it the first member of a struct with the further data that `receive` needs.
DestReceiver receiver_calling(bool (*receive)(TupleTableSlot* slot, DestReceiver* self));

}  // namespace metrics_refresh::engine
