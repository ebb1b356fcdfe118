// The argument `after`: jobs that must end before a new one can start.
#pragma once

#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::api {

/// The jobs in the array that have not completed, each once. Throws SqlError 42704 for a number
/// that no job has had, or whose job the caller may not see, and 54000 if there are too many.
std::vector<std::int64_t> open_predecessors(Datum bigint_array);

}  // namespace metrics_refresh::api
