// The consequences of a crash of the server for a job that ran in it. Any of the jobs that ran may
// have caused it. So each of them is a suspect: it starts before all others, and alone. A job that
// crashes the server again is then the only one that ran, and only such crashes count against it.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>

#include "core/queue/claimed_set.hpp"

namespace metrics_refresh::core::queue {

struct CrashedJob {
  JobNumber job = 0;
  std::int32_t attempts = 0;      // before the one that was interrupted
  std::int32_t max_attempts = 1;  // at least 1
  std::int32_t crashes = 0;       // earlier ones in which it ran alone
  bool was_alone = false;         // in this crash, no other job of the server ran
};

struct AfterCrash {
  enum class Fate : std::uint8_t {
    kSuspect,     // it is tried again, alone
    kCrashes,     // dead: the server crashed while it ran alone, as often as the limit allows
    kNoAttempts,  // dead: this was the last attempt
  };
  Fate fate = Fate::kSuspect;
  std::int32_t attempts = 0;
  std::int32_t crashes = 0;
};

/// REQUIRES: limit > 0.
AfterCrash after_crash(const CrashedJob& job, std::int32_t limit) noexcept;

/// The order of suspects: those that are least likely to crash the server again come first.
bool is_tried_before(const CrashedJob& one, const CrashedJob& other) noexcept;

}  // namespace metrics_refresh::core::queue
