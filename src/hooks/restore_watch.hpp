// What pg_restore does to triggers of ours, when it is told to disable them, or when it comes after
// a run. Called from the hook of utility statements (ddl_watch.cpp).
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::hooks {

/// True where the statement is one of `ALTER TABLE … DISABLE TRIGGER ALL` and the like on tables of
/// the private schema, and need not be executed: without these triggers, rows that come in would
/// mean other roles and views than they name, and no scheduler would hear of them.
bool leaves_own_triggers_alone(Node* statement);

/// To be called before a statement: has nothing begin in this database until the session ends,
/// where the statement restores rows of tables of ours or triggers that fill delta tables, and the
/// caller may.
void hold_off_for_restore(Node* statement);

/// To be called after a statement: has a trigger that fills a delta table looked at, whether
/// anybody wants it, if that table is gone. A run that came before the trigger has then set up the
/// view under another number.
void suspect_restored_trigger(Node* statement);

}  // namespace metrics_refresh::hooks
