// The part of the scheduler in hand-overs (shmem/hand_overs.hpp). It stores them as requests, which
// then become runs like any other. If the caller gives up, it cancels the run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/instant.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

class HandOvers {
 public:
  /// Handles the posted and withdrawn hand-overs. REQUIRES: called whenever the scheduler wakes,
  /// before it reads its news.
  void serve();

  /// When to call serve() again without news, or nothing if all are done.
  std::optional<core::Instant> try_again_at() const;

 private:
  struct Again {
    core::Instant at;
    Backoff backoff;
  };
  std::map<std::int64_t, Again> again_;  // those that are not done, by run number
};

}  // namespace metrics_refresh::worker
