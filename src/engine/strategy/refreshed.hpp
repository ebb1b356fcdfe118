// The result of a refresh, as its strategy reports it.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/strategy/choice.hpp"

namespace metrics_refresh::engine {

/// The numbers of rows that a refresh has written.
struct RowCounts {
  std::int64_t total = 0;  // in the view afterwards
  // Set if the strategy distinguishes them.
  std::optional<std::int64_t> inserted;
  std::optional<std::int64_t> updated;
  std::optional<std::int64_t> deleted;
};

struct Refreshed {
  Choice choice;
  RowCounts rows;
};

}  // namespace metrics_refresh::engine
