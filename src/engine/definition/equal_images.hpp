// Tells if values of a type that its operators call equal are also equal in every byte.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// False if it is not known. REQUIRES: inside pg::call(), as the owner of the definition, because
/// an operator class may have a function of its own for this question.
bool has_equal_images(Oid type, Oid collation);

}  // namespace metrics_refresh::engine
