// The meaning of an unqualified name under the present search_path.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

enum class NameKind { kRelation, kFunction, kOperator, kType };

/// The schema in which search_path finds an object with this name, which is given without quotes.
/// Null if there is no such object, or if it is in pg_catalog, which every search_path contains.
/// Takes no locks. REQUIRES: inside call().
const char* schema_by_path(NameKind kind, const char* name);

}  // namespace metrics_refresh::pg
