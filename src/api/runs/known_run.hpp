// A run that a caller names by its number: its status, if the caller may see it.
#pragma once

#include <cstdint>

#include "store/words.hpp"

namespace metrics_refresh::api {

struct KnownRun {
  store::RunStatus status;
  bool requested_here;  // by the current transaction, which has not committed

  bool is_over() const {
    return status != store::RunStatus::kRunning && status != store::RunStatus::kQueued;
  }
};

/// Throws SqlError 42704 if the run does not exist or the caller may not see it.
KnownRun look_up(std::int64_t run_id);

}  // namespace metrics_refresh::api
