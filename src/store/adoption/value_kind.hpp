// Groups of types between which values are converted when a table or function of a user is
// replaced.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::store {

enum class ValueKind { kNumber, kText, kTime, kBool, kJson, kOther };

/// The kind of a built-in type. kOther for all other types, including domains.
ValueKind kind_of(Oid type);

/// True if a value of this kind can be cast to the type.
bool can_be(ValueKind value, Oid type);

}  // namespace metrics_refresh::store
