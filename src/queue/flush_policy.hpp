// When a worker flushes the log, if metrics_refresh.queue_flush is shared: its commits are
// asynchronous, and one flush makes many of them durable. The flush comes when the first commit is
// kLongest old, before the worker rests, and before a job that may take longer.
//
// If a handler takes longer than was expected, a timer asks the launcher to flush, because the
// worker cannot flush in the middle of it.
#pragma once

#include "pg/job_transaction.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::queue {

class FlushPolicy {
 public:
  static constexpr core::Duration kLongest = std::chrono::milliseconds(2);

  void note_commit(XLogRecPtr position) {
    if (position == InvalidXLogRecPtr) return;
    if (position_ == InvalidXLogRecPtr) since_ = pg::steady_now();
    position_ = position;
  }
  /// Flushes if it is time, or starts the timer. `mean` is the duration that the next job may have;
  /// negative: unknown.
  void before_job(core::Duration mean);
  void flush();
  /// Leaves the flush to the launcher, at the exit of the process.
  void leave_to_launcher() const noexcept;

 private:
  XLogRecPtr position_ = InvalidXLogRecPtr;  // of the last commit that was not flushed
  std::int64_t since_ = 0;                   // the first of them, by pg::steady_now()
};

}  // namespace metrics_refresh::queue
