// The ends of rows of queue_hot: an end mark, and beside it, in the same transaction, the place
// where the job goes on. The marks of a segment are unique. So if two processes ever ended one
// version of a job, the second would fail with 23505 and undo its effect; that is a bug of ours,
// and health_check() says so.
#pragma once

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// A job that was done.
struct Completed {
  const Job* job = nullptr;  // as it was read
  TimestampTz started_at = 0;
  TimestampTz finished_at = 0;
  const text* worker = nullptr;
  const text* note = nullptr;
};

/// Writes end marks, and rows into the child `period` of queue_history (periods.hpp). It is the
/// last writing step of a job's transaction; the locks stay until its end.
void finish(const Completed& job, std::uint8_t period);
void finish_many(const Completed* jobs, std::size_t count, std::uint8_t period);

/// Writes only end marks, for rows of any segments.
void mark_ended(const Job* jobs, std::size_t count);

/// The job cannot start now: it gets an end mark, and a row in queue_later with all values as they
/// are in `job`. The caller has changed run_at, attempts, flags and last_error.
void park(const Job& job);

enum class StopStatus : char { kDead = 'd', kCanceled = 'c' };

struct Stop {
  StopStatus status = StopStatus::kDead;
  TimestampTz finished_at = 0;
  std::optional<TimestampTz> started_at;
  const text* reason = nullptr;
};

/// The job ends without success: a row in queue_stopped, and an end mark if the job has a segment.
/// The caller has removed a job of queue_later.
void stop(const Job& job, const Stop& how);
/// The same for a job that no process can start, because its type does not exist.
void stop_without_type(const Job& job, TimestampTz now);

}  // namespace metrics_refresh::store::queue
