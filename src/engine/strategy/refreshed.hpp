// What a strategy says of a refresh that it has done.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/strategy/choice.hpp"

namespace metrics_refresh::engine {

/// What a refresh did to the view's rows.
struct RowCounts {
  std::int64_t total = 0;  // in the view afterwards
  // Where the strategy tells them apart.
  std::optional<std::int64_t> inserted;
  std::optional<std::int64_t> updated;
  std::optional<std::int64_t> deleted;
};

struct Refreshed {
  Choice choice;
  RowCounts rows;
};

}  // namespace metrics_refresh::engine
