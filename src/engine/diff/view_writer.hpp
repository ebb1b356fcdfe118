// Writes the difference between a view and its definition into the view. It uses the table access
// method and maintains all indexes. The order of the changes ensures that no unique index is
// violated in between, if the final state does not violate it.
#pragma once

#include "engine/diff/progress_meter.hpp"
#include "engine/diff/row_matcher.hpp"

namespace metrics_refresh::engine {

/// Receives every row that a refresh writes or removes. For an update, it receives both versions. A
/// longjmp can leave the object, so it must be plain data.
class WrittenRows {
 public:
  /// Called before the first row, if there is one.
  virtual void open(Relation view) = 0;
  /// Returns false if no rows are wanted. Then put() is not called.
  virtual bool any() const = 0;
  virtual void put(TupleTableSlot* row) = 0;
  virtual void close() = 0;

 protected:
  ~WrittenRows() = default;
};

struct Written {
  int64 inserted;
  int64 updated;  // rows that were replaced by a new version
  int64 deleted;
};

/// Step 1: if an old and a new row agree in every column of the unique indexes, the old one is
/// updated to the new one. If there is no unique index, they must agree in the columns of all
/// indexes; the update is HOT if the server allows it. Step 2: the other old rows are deleted. Step
/// 3: the other new rows are inserted.
///
/// Raises 40001 if the view was changed after the active snapshot was taken, and 23505 as an INSERT
/// does. REQUIRES: inside pg::call(); the view is locked in ExclusiveLock; `matcher` has finished,
/// with rows of the active snapshot.
Written write_difference(Relation view, const RowMatcher& matcher, ProgressMeter& meter,
                         WrittenRows& rows);

}  // namespace metrics_refresh::engine
