// The job that this worker performs at the moment, for functions that its handler calls.
#pragma once

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

struct RunningJob {
  JobNumber id = 0;
  TypeId type = 0;
  int attempt = 1;
  /// The handler wants the job to start again later, and its attempt not to count. Set by
  /// snooze_job(), also if a subtransaction of the handler is rolled back after that.
  std::optional<core::Duration> snooze;
};

/// Null if no handler is running in this process.
RunningJob* running_job() noexcept;
void set_running_job(RunningJob* job) noexcept;

}  // namespace metrics_refresh::store::queue
