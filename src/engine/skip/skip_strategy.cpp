#include "engine/strategy/work.hpp"

// Whether a view can be skipped is decided before it is locked (choose_skip() in
// engine/refresh.hpp), so this strategy is never chosen for a view that is to be refreshed.

namespace metrics_refresh::engine {
namespace {

std::optional<Choice> choose(const View&, const ViewState&, bool) { return std::nullopt; }

void run(const Task&) {}

}  // namespace

const Work works::kSkip = {choose, NoLock, ServerStatement::kNone, run};

}  // namespace metrics_refresh::engine
