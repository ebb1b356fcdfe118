// The elements of arrays that callers pass.
#pragma once

#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

struct Elements {
  Datum* values;
  bool* nulls;
  int count;
};
/// The elements of an array of this type, in its order. Throws SqlError 2202E if it has more than
/// one dimension; the message calls the array `name`.
Elements elements_of(Datum array, Oid type, const char* name);

/// The elements of a bigint[]. Throws SqlError 22004 if one is NULL.
std::vector<std::int64_t> numbers_of(Datum array, const char* name);

}  // namespace metrics_refresh::pg
