// What views read by their functions (reach.hpp), as far as the functions that their rules name go:
// for the order of groups and for reports. It looks into functions as the views' owners, runs
// nothing and locks nothing, so a view may change meanwhile.
#pragma once

#include <utility>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::engine {

struct FunctionRead {
  Oid view;
  Oid owner;     // of the view
  Oid relation;  // no plain view, but what is below it
};

/// By view. Each view with each relation once.
std::vector<FunctionRead> reads_by_functions(pg::Spi& spi, const std::vector<Oid>& views);

/// Pairs (dependent, referenced) of places in `views`: what their rules and their functions read.
std::vector<std::pair<int, int>> dependencies(pg::Spi& spi, const std::vector<Oid>& views);

}  // namespace metrics_refresh::engine
