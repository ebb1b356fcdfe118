// Whether values of a type that are equal to its operators are equal in every byte.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// False where nobody knows. REQUIRES: inside pg::call(), as the owner of what is asked for: a type
/// may bring a function that says so.
bool has_equal_images(Oid type, Oid collation);

}  // namespace metrics_refresh::engine
