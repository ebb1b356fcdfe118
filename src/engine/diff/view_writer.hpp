// Writes the difference between a view and its definition into the view, through its table's access
// method, with all its indexes kept: in an order in which no unique index, of whatever kind, is
// violated on the way to a state that does not violate it.
#pragma once

#include "engine/diff/progress_meter.hpp"
#include "engine/diff/row_matcher.hpp"

namespace metrics_refresh::engine {

struct Written {
  int64 inserted;
  int64 updated;  // one version in the place of another
  int64 deleted;
};

/// Where an old and a new row agree in every column of the unique indexes (without those, of all
/// indexes), the new one replaces it by an update, in place (HOT) where the server can; then what
/// is left of the old is deleted, then what is left of the new inserted.
///
/// Raises 40001 where the view was changed after the active snapshot, 23505 as an insert would.
/// REQUIRES: inside pg::call(); the view is locked in ExclusiveLock and `matcher` has finished with
/// rows of the active snapshot.
Written write_difference(Relation view, const RowMatcher& matcher, ProgressMeter& meter);

}  // namespace metrics_refresh::engine
