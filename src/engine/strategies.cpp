#include "engine/strategies.hpp"

namespace metrics_refresh::engine {
namespace {

struct Entry {
  Strategy strategy;
  const Work& work;
};

constexpr Entry kStrategies[] = {
#define STRATEGY(name, word, traits) {Strategy::k##name, works::k##name},
    METRICS_REFRESH_STRATEGIES(STRATEGY)
#undef STRATEGY
};

}  // namespace

const Work& work_of(Strategy strategy) {
  for (const Entry& entry : kStrategies)
    if (entry.strategy == strategy) return entry.work;
  throw pg::SqlError(ERRCODE_INTERNAL_ERROR, "this strategy cannot refresh a view");
}

Strategy asked_by_job(Strategy strategy) {
  return store::has_trait(strategy, store::kSetUpByJob) ? Strategy::kAuto : strategy;
}

Choice choose(const View& view, const ViewState& state, Strategy asked) {
  if (!state.populated) return {Strategy::kFull, "the view has never been populated"};
  if (asked != Strategy::kAuto) return work_of(asked).choose(view, state, true).value();
  for (const Entry& entry : kStrategies)
    if (std::optional<Choice> choice = entry.work.choose(view, state, false)) return *choice;
  throw pg::SqlError(ERRCODE_INTERNAL_ERROR, "no strategy can refresh the view");
}

Choice choose(const View& view, const ViewState& state, Strategy asked,
              const Freshness& freshness) {
  Choice choice = choose(view, state, asked);
  if (asked == Strategy::kAuto && freshness.is_fresh) return {Strategy::kSkip, freshness.reason};
  return choice;
}

}  // namespace metrics_refresh::engine
