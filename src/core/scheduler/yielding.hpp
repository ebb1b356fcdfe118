// Selects the run that gives up its worker for an owner without a running run: see ready_runs.hpp.
// It belongs to the owner with the most running runs, and is the one that has lost the least time.
// An owner's only run never yields. A run that has had its worker for less than the others have
// waited does not yield either.
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
  bool limited = false;  // see Job::limited; other runs do not yield
  bool ending = false;   // it was canceled, for any reason
  Duration age{};        // since a worker took it
};

/// Returns the index in `runs` of the run that must yield. Returns nothing if none can yield, or if
/// a run is ending anyway: then it is enough to wait for that.
std::optional<std::size_t> choose_yielding(const std::vector<RunUnderWay>& runs,
                                           Duration yield_after);

}  // namespace metrics_refresh::core
