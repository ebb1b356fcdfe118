// The choice of a strategy, from the table of all strategies (store/strategies.hpp).
#pragma once

#include "engine/skip/freshness.hpp"
#include "engine/strategy/work.hpp"

namespace metrics_refresh::engine {

/// REQUIRES: a strategy of the table, not a word that stands for none.
const Work& work_of(Strategy strategy);

/// The strategy that a job's run asks for. One that a job sets up is left to `auto`: a view that
/// was made anew, so that the set-up is not possible any more, is then refreshed by diff.
Strategy asked_by_job(Strategy strategy);

/// Throws SqlError 55000 if a strategy is asked for that the view is not prepared for. A view that
/// was never populated is refreshed in full in any case, because it has no readers to block.
Choice choose(const View& view, const ViewState& state, Strategy asked);

/// The same, with `skip` if nothing has changed: what the next run does, unless an audit is due.
Choice choose(const View& view, const ViewState& state, Strategy asked, const Freshness& freshness);

}  // namespace metrics_refresh::engine
