// The refresh of a view by its difference from its definition: any definition, with or without a
// unique index, duplicates and NULLs included. Readers are never blocked; rows that are as they
// should be are not touched.
#pragma once

#include "engine/view.hpp"
#include "engine/view_writer.hpp"

namespace metrics_refresh::engine {

struct Difference {
  int64 rows;  // in the view afterwards
  Written written;
};

/// Makes the view equal to its definition under the active snapshot. Raises what the definition and
/// write_difference() raise.
/// REQUIRES: inside pg::call(); the view is locked in ExclusiveLock, and its owner acts, in a
/// security-restricted operation with a fixed search_path.
Difference refresh_by_difference(Oid view, const char* text);

}  // namespace metrics_refresh::engine
