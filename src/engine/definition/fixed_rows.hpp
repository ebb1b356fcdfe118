// How much of a definition's rows follows from the rows of its tables. The rest is left to the plan
// and to the order in which rows are read: sums of floating-point numbers, lists without an order,
// the choice among rows that are equal to an ORDER BY. That can be different at the next run
// although nothing has changed, and is no sign of a lie. In doubt a part is not fixed.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct FixedRows {
  /// Why not all of it is fixed: lower case, no full stop; or null.
  const char* loose;
  /// How many rows there are, and what is in the columns below. Else nothing is fixed.
  bool has_fixed_count;
  /// In ascending order; where all is fixed, all of them.
  AttrNumber* columns;
  int column_count;
};

/// REQUIRES: inside pg::call(), as the view's owner; the view is open.
FixedRows fixed_rows_of(Relation view);

}  // namespace metrics_refresh::engine
