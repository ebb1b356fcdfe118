// Refreshes a view by keys. The definition is evaluated under a condition that selects the output
// rows that may have changed since the last refresh. The result is compared with the rows of the
// view that satisfy the same condition. Aggregates are never updated in place, so each one is as
// correct as the definition itself.
//
// If changes may not have been captured, or if they are too many, all rows are compared instead.
#pragma once

#include "engine/diff/diff.hpp"

namespace metrics_refresh::engine {

/// The input of a refresh. Texts may be null: no previous refresh, or no reason.
struct KeyedState {
  int64 id;  // in incremental_view
  const char* fingerprint;
  const char* reason;         // why all rows must be compared in any case
  const char* weaker_reason;  // the same, used if there is no more specific reason
  TimestampTz last_now;       // now() of the last refresh; valid if there is a fingerprint
  int64 rows;                 // in the view
  bool audit;                 // whether to compare all rows afterwards as well
  RowSums* sums;              // filled if all rows are looked at; or null
};

struct KeyedRefresh {
  const char* reason;       // why all rows were compared; null if they were not
  const char* fingerprint;  // for the next refresh; null if keys cannot be derived
  int64 keys;
  Difference difference;
  Written audit;             // rows that the audit corrected
  const char* loose_reason;  // why these rows show no error; null if they do
};

/// Makes the view equal to its definition under the active snapshot, and deletes the captured rows
/// that the snapshot sees. Raises the errors of refresh_by_difference() and take_delta(). REQUIRES:
/// the same as refresh_by_difference(). Texts of the result are in the current memory context.
KeyedRefresh refresh_by_keys(Oid view, const KeyedState& state, const char* text);

/// Called after the view was refreshed in another way. Deletes the captured rows that the active
/// snapshot sees; it was taken before that refresh. Returns the fingerprint of the new state, or
/// null if the view cannot be kept by keys.
const char* discard_captured_keys(Oid view, int64 id);

}  // namespace metrics_refresh::engine
