// Types as far as values of ours can be given for them: a column of somebody's table or function.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::store {

enum class ValueKind { kNumber, kText, kTime, kBool, kJson, kOther };

/// Of one of the server's own types; kOther of all that are not, domains among them.
ValueKind kind_of(Oid type);

/// Whether a value of this kind can be written as one of the type, by a cast.
bool can_be(ValueKind value, Oid type);

}  // namespace metrics_refresh::store
