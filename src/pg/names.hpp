// What an unqualified name means by the present search_path.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

enum class Named { kRelation, kFunction, kOperator, kType };

/// The schema in which search_path finds something of this name, its quotes taken off; null where
/// it finds nothing, or finds it in pg_catalog, which everybody's path has. Locks nothing.
/// REQUIRES: inside call().
const char* schema_by_path(Named kind, const char* name);

}  // namespace metrics_refresh::pg
