// The scheduler's part of refreshes that callers hand over (shmem/hand_overs.hpp): it writes them
// down as requests, from where on they are runs like any other, and cancels those that were given
// up.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/instant.hpp"
#include "worker/backoff.hpp"

namespace metrics_refresh::worker {

class HandOvers {
 public:
  /// Takes what is posted. To be called whenever the scheduler wakes, before it reads its news.
  void serve();

  /// When to call serve() again although nobody posts anything; nothing where all is done.
  std::optional<core::Instant> try_again_at() const;

 private:
  struct Again {
    core::Instant at;
    Backoff backoff;
  };
  std::map<std::int64_t, Again> again_;  // by the run's number: those that are not done
};

}  // namespace metrics_refresh::worker
