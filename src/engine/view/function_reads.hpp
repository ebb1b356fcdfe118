// The relations that views read by functions (reach.hpp), for the order of groups and for reports.
// The search starts from the functions that the rules of the views name. It examines functions as
// the owners of the views, runs nothing and locks nothing. So a view may change meanwhile.
#pragma once

#include <utility>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::engine {

struct FunctionRead {
  Oid view;
  Oid owner;     // of the view
  Oid relation;  // not a plain view, but a relation below it
};

/// Sorted by view. Each pair of view and relation occurs once.
std::vector<FunctionRead> reads_by_functions(pg::Spi& spi, const std::vector<Oid>& views);

/// Pairs (dependent, referenced) of indexes in `views`. They include reads by rules and by
/// functions.
std::vector<std::pair<int, int>> dependencies(pg::Spi& spi, const std::vector<Oid>& views);

}  // namespace metrics_refresh::engine
