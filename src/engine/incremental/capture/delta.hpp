// The delta tables of a view, one for each table that it reads, and the triggers that fill them.
// What a refresh finds in them under its snapshot it takes out in its own transaction: as a key is
// written in the transaction that makes the change, both are visible, or neither.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "engine/incremental/analysis/key_derivation.hpp"

namespace metrics_refresh::engine {

/// The name of a delta table, in the schema metrics_refresh_internal: of the view with this number
/// in incremental_view, and of the table at place `at` of its derivation.
const char* delta_name(int64 id, int at);
/// True for what delta_name() gives.
bool is_delta_name(const char* name);

/// The name of a trigger of it.
const char* trigger_name(int64 id, const char* event);

/// InvalidOid where there is none.
Oid delta_oid(int64 id, int at);

/// Whether the table is a materialized view.
bool is_view(const KeyTable& table);

/// The names of the columns that are captured of a table, in the order k1, k2 …; List of char*.
List* captured_names(const KeyTable& table);

/// What the catalogs said of the triggers under the active snapshot.
struct CaptureState {
  const char* fault;  // why changes may have been missed, or null
  // Changes with every change of a trigger, a captured column or a delta table, even one undone.
  char* identity;
};
CaptureState read_capture(int64 id, const Derivation& derivation);

/// Takes the rows of a delta table out and hands each to `visit(context, slot)`. Raises 40001 where
/// another refresh has done so after the snapshot.
void take_delta(Oid delta, void (*visit)(void* context, TupleTableSlot* slot), void* context);

/// Whether its table was truncated after the active snapshot was taken: to that snapshot it looks
/// empty, although the rows have never been deleted in its sight. REQUIRES: the table is locked.
bool was_truncated_since(Oid delta);

/// Takes out the rows of all delta tables of a view, of which nobody wants to know what is in them.
void clear_deltas(int64 id);

}  // namespace metrics_refresh::engine
