// A materialized view's stored query, and how it is run.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The query, as CREATE MATERIALIZED VIEW left it in the view's rule; not to be changed. Raises
/// XX000 where the catalogs are not as the server makes them. REQUIRES: inside pg::call(); `view`
/// is open.
Query* definition_of(Relation view);

/// Whether a table has virtual generated columns (from PostgreSQL 18 on). They are put into a query
/// only when it is planned, no trigger sees them change, and they are redefined without a trace in
/// the table's storage. REQUIRES: inside pg::call().
bool has_virtual_columns(Oid table);

/// Whether an index has a predicate. RelationGetIndexPredicate() would simplify it, which runs
/// functions of whoever made the index with the rights of whoever asks.
/// REQUIRES: inside pg::call().
bool is_partial(Relation index);

/// Plans a query, of which nothing is left: with a parallel plan where the planner likes one; where
/// it `may_be_small`, only if the plan without costs much, for to start another process takes
/// longer than the work for a few rows. `text` is what activity views and logs show; it must live
/// as long as what is done with the plan. REQUIRES: inside pg::call().
PlannedStmt* plan_query(Query* query, const char* text, bool may_be_small = false);

/// Runs a plan under the active snapshot and hands every row to `receiver`. Rights and settings are
/// those in force. REQUIRES: inside pg::call().
void run_plan(PlannedStmt* plan, DestReceiver* receiver, const char* text);

/// A destination of the executor that hands rows to `receive`, with itself. It is the first member
/// of what else `receive` needs.
DestReceiver receiver_calling(bool (*receive)(TupleTableSlot* slot, DestReceiver* self));

}  // namespace metrics_refresh::engine
