// Writes the end of an attempt that has failed. The attempt may have lost its worker: that was
// outside and did not end the job in time, or the server crashed.
#pragma once

#include "store/queue/job.hpp"
#include "store/queue/job_types.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::store::queue {

struct LostAttempt {
  Job job;  // as it was read, before the attempt
  const JobType* type = nullptr;
  std::optional<TimestampTz> started_at;
  RunError error;
  RunStatus status = RunStatus::kInterrupted;
  bool is_last = false;  // the job is dead, however many attempts it has left
  /// When the next attempt starts; if nothing, after the backoff of the type. After the second one,
  /// not within a second, unless it is kSuspectRunAt.
  std::optional<TimestampTz> next_at;
};

struct AttemptEnd {
  bool is_dead = false;
  TimestampTz next_at = 0;  // if it is not dead
};

/// Logs the failure, and makes the job wait or stop. The caller tells shared memory.
/// REQUIRES: inside extension::as_extension(), in a transaction that read the job after it was
/// claimed or held, or before claims are open.
AttemptEnd end_lost_attempt(pg::Spi& spi, const LostAttempt& attempt);

}  // namespace metrics_refresh::store::queue
