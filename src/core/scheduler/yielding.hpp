// Which run gives its worker up for an owner who has none: see ready_runs.hpp. It is one of the
// owner who has the most under way, and of his the one that has lost least. An owner's only run
// never yields, nor does one that has had its worker for less than the others have waited.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <optional>
#include <vector>

#include "core/scheduler/scheduler_events.hpp"

namespace metrics_refresh::core {

struct RunUnderWay {
  OwnerId owner = 0;
  bool limited = false;  // as Job::limited: others do not yield
  bool ending = false;   // it is canceled, for this or another reason
  Duration age{};        // since a worker took it
};

/// The place among `runs` of the one that is to yield, or nothing where none can, or where one is
/// ending anyway: that is waited for.
std::optional<std::size_t> choose_yielding(const std::vector<RunUnderWay>& runs,
                                           Duration yield_after);

}  // namespace metrics_refresh::core
