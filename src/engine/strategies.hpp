// The choice of a strategy, from the table of all strategies (store/strategies.hpp).
#pragma once

#include "engine/skip/freshness.hpp"
#include "engine/strategy/work.hpp"

namespace metrics_refresh::engine {

/// Returns the entry of a strategy. REQUIRES: a strategy of the table, not a word that stands for
/// none.
const Work& work_of(Strategy strategy);

/// The strategy that a run of a job requests. A strategy that a job sets up becomes `auto`. If the
/// view was created again so that the set-up is not possible any more, it is then refreshed by
/// diff.
Strategy asked_by_job(Strategy strategy);

/// Throws SqlError 55000 if a strategy is asked for that the view is not prepared for. A view that
/// was never populated is refreshed in full in any case, because it has no readers to block.
Choice choose(const View& view, const ViewState& state, Strategy asked);

/// The same, with `skip` if nothing has changed: what the next run does, unless an audit is due.
Choice choose(const View& view, const ViewState& state, Strategy asked, const Freshness& freshness);

}  // namespace metrics_refresh::engine
