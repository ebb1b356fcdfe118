// Protects the triggers of the extension from pg_restore --disable-triggers, and delays runs during
// a restore. Called from the hook of utility statements (ddl_watch.cpp).
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::hooks {

/// True if the statement enables or disables all triggers of a table of the extension, for example
/// `ALTER TABLE … DISABLE TRIGGER ALL`. The caller must not execute it. Without the triggers,
/// restored rows would refer to wrong roles and views, and the scheduler would not learn of them.
bool leaves_own_triggers_alone(Node* statement);

/// Delays runs in this database until the session ends, if the statement is part of a restore. Such
/// a statement fills a table of the extension or creates a trigger that fills a delta table. Call
/// this before the statement.
void hold_off_for_restore(Node* statement);

/// Requests a check of a new trigger that fills a delta table, if that table does not exist. This
/// happens if a run has set up the view with another number before the trigger was restored. Call
/// it after the statement.
void suspect_restored_trigger(Node* statement);

}  // namespace metrics_refresh::hooks
