// The refresh of a view by keys: only output rows that could have changed since the last refresh
// are computed anew, by the definition itself under a condition, and only those of the view that
// satisfy the same condition are compared with them. Nothing is ever added to what the view holds,
// so any aggregate is as right as its definition.
//
// It falls back to all rows wherever changes may have been missed, or are too many.
#pragma once

#include "engine/diff/diff.hpp"

namespace metrics_refresh::engine {

/// What the refresh has to know. Texts may be null: no refresh so far; nothing in the way.
struct KeyedState {
  int64 id;  // in incremental_view
  const char* fingerprint;
  const char* obstacle;  // why all rows are to be looked at in any case
  const char* missed;    // the same, where nothing that says more is in the way
  TimestampTz last_now;  // counts where there is a fingerprint
  int64 rows;            // in the view
  bool audit;            // whether to look at all rows afterwards, too
};

struct KeyedRefresh {
  const char* fallback;     // why all rows were looked at; null: they were not
  const char* fingerprint;  // for the next time; null where the definition cannot be kept by keys
  int64 keys;
  Difference difference;
  Written audit;  // what a look at all rows had to mend
};

/// Makes the view equal to its definition under the active snapshot, and takes the captured keys
/// that are visible in it. Raises what refresh_by_difference() and take_delta() raise.
/// REQUIRES: as refresh_by_difference(). Texts of the result are in the current memory context.
KeyedRefresh refresh_by_keys(Oid view, const KeyedState& state, const char* text);

/// For a view that is refreshed in another way: takes the captured keys that are visible in the
/// active snapshot, from before that refresh, and returns the fingerprint, from after it.
const char* settle_keys(Oid view, int64 id);

}  // namespace metrics_refresh::engine
