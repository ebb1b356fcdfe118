// Waits for a job that the scheduler is moving, or that another session is changing.
#pragma once

#include <optional>

#include "pg/guard.hpp"

namespace metrics_refresh::api {

/// 55P03: another session is changing the job.
[[noreturn]] void refuse_job_in_use(std::int64_t id);

/// Calls `attempt` until it returns an answer. Nothing: the job is held or its row is locked, for a
/// moment by the scheduler, or by another session for any time. Gives up after half a second.
template <typename Attempt>
bool until_free(std::int64_t id, Attempt&& attempt) {
  constexpr int kMostTries = 100;
  constexpr long kPauseMicroseconds = 5000;
  for (int i = 0; i < kMostTries; ++i) {
    if (const std::optional<bool> result = attempt()) return *result;
    pg::call([] {
      CHECK_FOR_INTERRUPTS();
      pg_usleep(kPauseMicroseconds);
    });
  }
  refuse_job_in_use(id);
}

}  // namespace metrics_refresh::api
