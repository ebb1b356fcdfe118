// Refreshes a view by the difference between its rows and its definition. This works for any
// definition, with or without a unique index, and handles duplicates and NULLs. Readers are never
// blocked. Rows that are already correct are not written.
#pragma once

#include "engine/diff/row_hasher.hpp"
#include "engine/diff/view_writer.hpp"
#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

struct Difference {
  int64 rows;  // rows of the definition; without a condition, all rows of the view
  Written written;
};

/// Sums over some columns of all rows that the view had, and of all rows of its definition. The
/// sums are equal if the rows are the same as far as these columns go.
struct RowSums {
  const AttrNumber* columns = nullptr;  // in ascending order
  int column_count = 0;
  core::RowHash old_rows = {};
  core::RowHash new_rows = {};
  RowHasher hasher;  // REQUIRES: init()
};

/// Adds all rows that the view has under the active snapshot to one of the sums. REQUIRES: inside
/// pg::call(); the view is locked.
void add_view_rows(Oid view, RowSums& sums, core::RowHash RowSums::*side);

/// Returns the view, open. Raises 25006 in a read-only transaction, and 55006 if a query of this
/// session is reading the view. REQUIRES: inside pg::call(); the view is locked in ExclusiveLock.
Relation open_for_refresh(Oid view);

/// Makes the view equal to its definition under the active snapshot. If `condition` is not null,
/// this applies only to the rows of the view and of the definition that satisfy it. The condition
/// is an expression over the view's columns, as Vars with number 1. Raises the errors of the
/// definition and of write_difference(). The written rows are passed to `rows`. REQUIRES: inside
/// pg::call(); the view was opened by open_for_refresh(); the view's owner is the current user, in
/// a security-restricted operation with a fixed search_path. Fills `sums`, unless null, if there is
/// no condition.
Difference refresh_by_difference(Relation view, Node* condition, const char* text,
                                 WrittenRows& rows, RowSums* sums = nullptr);

}  // namespace metrics_refresh::engine
