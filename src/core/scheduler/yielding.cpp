#include "core/scheduler/yielding.hpp"

#include <map>
#include <tuple>

namespace metrics_refresh::core {

// The number of running runs of each owner decides first.
std::optional<std::size_t> choose_yielding(const std::vector<RunUnderWay>& runs,
                                           Duration yield_after) {
  std::map<OwnerId, int> counts;
  for (const RunUnderWay& run : runs) {
    // One worker will be free soon. To cancel a second run would waste its work.
    if (run.ending) return std::nullopt;
    ++counts[run.owner];
  }
  std::optional<std::size_t> chosen;
  const auto before = [&](const RunUnderWay& a, const RunUnderWay& b) {
    return std::tuple(-counts.at(a.owner), a.age) < std::tuple(-counts.at(b.owner), b.age);
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunUnderWay& run = runs[i];
    // A young run would lose less work, but it may have started only because another one yielded.
    if (!run.limited || counts.at(run.owner) < 2 || run.age < yield_after) continue;
    if (!chosen || before(run, runs[*chosen])) chosen = i;
  }
  return chosen;
}

}  // namespace metrics_refresh::core
