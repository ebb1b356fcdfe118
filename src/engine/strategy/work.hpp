// The interface between a refresh (engine/refresh.hpp) and its strategies. Each strategy defines
// one `Work` in its own folder. This file declares them from the table in store/strategies.hpp, and
// engine/strategies.cpp puts them into one array. So neither a refresh nor a strategy names another
// folder's strategy, except one that goes over to it.
#pragma once

#include <optional>

#include "engine/strategy/refreshed.hpp"
#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

class KeyedRun;
class RefreshStatement;
struct RowSums;

/// The refresh of one view, under its lock, on the active snapshot, with a fixed search_path.
struct Task {
  const View& view;
  Refreshed& done;              // the choice; run() sets the rows, and may change the choice
  RowSums* sums;                // filled by a refresh that compares rows; or null
  RefreshStatement* statement;  // null unless the strategy is a statement of the server
  KeyedRun& keyed;  // records a refresh of a view that is set up for incremental refresh
};

/// Event triggers fire around a statement of the server, before and after the fixed search_path.
enum class ServerStatement { kNone, kRefresh, kRefreshConcurrently };

struct Work {
  /// Returns the choice if the strategy was requested: itself, or another one and the reason.
  /// Throws SqlError 55000 if the view is not prepared for it. If it was not requested (`auto`),
  /// returns nothing unless the strategy must be used. REQUIRES: the view is populated.
  std::optional<Choice> (*choose)(const View& view, const ViewState& state, bool asked_for);
  LOCKMODE lock;
  ServerStatement statement;
  /// Throws PgError and SqlError for any failure.
  void (*run)(const Task& task);
};

namespace works {
#define STRATEGY(name, word, traits) extern const Work k##name;
METRICS_REFRESH_STRATEGIES(STRATEGY)
#undef STRATEGY
}  // namespace works

}  // namespace metrics_refresh::engine
