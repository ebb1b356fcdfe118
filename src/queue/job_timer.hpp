// The timeout of the job that this worker performs. A timer of the server sends SIGINT when it has
// passed, and SIGTERM if the job goes on for metrics_refresh.cancel_grace after that, because code
// of the handler may catch a cancel.
#pragma once

#include "core/instant.hpp"

namespace metrics_refresh::queue {

/// Starts the timer for another job. Zero: no limit.
void start_job_timer(core::Duration timeout);
/// REQUIRES: nothing. An abort of the transaction stops the timer, too.
void stop_job_timer();
/// True if the timeout of the job has passed.
bool has_job_timed_out() noexcept;

}  // namespace metrics_refresh::queue
