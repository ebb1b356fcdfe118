// The delta tables of a view, one for each table that it reads, and the triggers that fill them. A
// refresh deletes, in its own transaction, the rows that it finds under its snapshot. A key is
// written in the transaction of the change, so a snapshot sees both or neither.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "engine/incremental/analysis/key_derivation.hpp"

namespace metrics_refresh::engine {

/// Returns the name of a delta table in the schema metrics_refresh_internal. `id` is the view's
/// number in incremental_view, and `at` is the index of the table in its derivation.
const char* delta_name(int64 id, int at);
/// Returns whether delta_name() can return this name.
bool is_delta_name(const char* name);

/// Returns the name of the trigger for an event.
const char* trigger_name(int64 id, const char* event);

/// Returns InvalidOid if there is no such table.
Oid delta_oid(int64 id, int at);

/// Returns whether the table is a materialized view.
bool is_matview(const KeyTable& table);

/// Returns the names of the captured columns of a table, in the order k1, k2, ...; List of char*.
List* captured_names(const KeyTable& table);

/// The state of the triggers and delta tables in the catalogs, under the active snapshot.
struct CaptureState {
  const char* reason;  // why changes may not have been captured, or null
  // Differs after any change of a trigger, a captured column or a delta table, even if it was
  // undone.
  char* identity;
};
CaptureState read_capture(int64 id, const Derivation& derivation);

/// Deletes the rows of a delta table and passes each to `visit(context, slot)`. Raises 40001 if
/// another refresh has deleted them after the snapshot was taken.
void take_delta(Oid delta, void (*visit)(void* context, TupleTableSlot* slot), void* context);

/// Returns whether the table of this delta table was truncated after the active snapshot was taken.
/// To that snapshot the table looks empty, but no captured row tells so. REQUIRES: the table is
/// locked.
bool was_truncated_since(Oid delta);

/// Deletes the rows of all delta tables of a view, without reading their values.
void delete_captured(int64 id);

}  // namespace metrics_refresh::engine
