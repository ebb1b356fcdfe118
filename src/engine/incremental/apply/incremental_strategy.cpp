#include "engine/incremental/apply/keyed_run.hpp"
#include "engine/strategy/work.hpp"

namespace metrics_refresh::engine {
namespace {

std::optional<Choice> choose(const View& view, const ViewState& state, bool asked_for) {
  if (!state.is_incremental && asked_for)
    throw pg::SqlError(
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "materialized view \"" + view.name + "\" is not set up for incremental refresh",
        "A job with strategy incremental sets it up: see metrics_refresh.schedule() and "
        "alter_job().");
  if (!state.is_incremental) return std::nullopt;
  if (!state.demoted.empty())
    return Choice{Strategy::kDiff, "demoted from incremental: " + state.demoted};
  return Choice{Strategy::kIncremental, "only rows that could have changed are looked at"};
}

void run(const Task& task) {
  if (task.keyed.run(task.done, nullptr)) return;
  task.done.choice = {Strategy::kDiff, "it was set up after the transaction's snapshot"};
  works::kDiff.run(task);
}

}  // namespace

const Work works::kIncremental = {choose, ExclusiveLock, ServerStatement::kNone, run};

}  // namespace metrics_refresh::engine
