// The refresh of a view by its difference from its definition: any definition, with or without a
// unique index, duplicates and NULLs included. Readers are never blocked; rows that are as they
// should be are not touched.
#pragma once

#include "engine/diff/view_writer.hpp"
#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

struct Difference {
  int64 rows;  // of the definition; all that the view holds afterwards, where there is no condition
  Written written;
};

/// The view, open. Raises 25006 in a transaction that is read only, 55006 where a query of this
/// session is reading the view. REQUIRES: inside pg::call(); the view is locked in ExclusiveLock.
Relation open_for_refresh(Oid view);

/// Makes the view equal to its definition under the active snapshot: where `condition` is not null,
/// as far as the rows go that satisfy it, in the view and in the definition. It is over the view's
/// columns, as Vars of number 1. Raises what the definition and
/// write_difference() raise.
/// REQUIRES: inside pg::call(); the view is open_for_refresh(), and its owner acts, in a
/// security-restricted operation with a fixed search_path.
Difference refresh_by_difference(Relation view, Node* condition, const char* text);

}  // namespace metrics_refresh::engine
