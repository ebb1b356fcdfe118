// The part of a definition's result that the rows of its tables determine. The rest depends on the
// plan and on the order in which rows are read. Examples are sums of floating-point numbers, lists
// without an order, and the choice among rows that are equal in ORDER BY. That part can differ at
// the next run although nothing has changed, so a difference in it does not show an error. In doubt
// a part is not fixed.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct FixedRows {
  /// The reason why not everything is fixed, or null. Lower case, no full stop.
  const char* loose_reason;
  /// True if the number of rows and the columns below are fixed. Otherwise nothing is fixed.
  bool has_fixed_count;
  /// In ascending order. If everything is fixed, these are all columns.
  AttrNumber* columns;
  int column_count;
};

/// REQUIRES: inside pg::call(), as the view's owner; the view is open.
FixedRows fixed_rows_of(Relation view);

}  // namespace metrics_refresh::engine
