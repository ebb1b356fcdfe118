// The news that posts, workers and sessions have for the scheduler. Each kind is a flag with its
// newest values, so nothing overflows. A flag wakes the scheduler (shmem::wake_scheduler) when it
// is set, and is silent until the scheduler takes the news.
#pragma once

#include <vector>

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

struct SchedulerNews {
  bool is_new = false;        // the place was made: recover
  bool work = false;          // an owner has work, and no idle worker took it: see owners()
  bool later = false;         // `later_due` was lowered
  bool dependencies = false;  // new rows in queue_dependency
  bool awaited = false;       // ends in the ring of awaited.hpp
  bool batches = false;       // batches were made, closed, or have ends
  bool types = false;         // job_type has changed
  bool single = false;        // the job of start_singly() has ended
  bool leases = false;        // an earlier end of a lease
  bool recount = false;       // the live counts are not exact any longer
  bool ended = false;         // jobs have ended or failed, since watch_ends(true)
  bool prepared = false;      // news of a prepared transaction was stored
  std::uint8_t rereads = 0;   // segments that must be read again: see begin_reread()
  TimestampTz later_due = PG_INT64_MAX;      // the lowest since the last call
  TimestampTz rates_open_at = PG_INT64_MAX;  // then open_rates() has something to do
  XLogRecPtr last_end = InvalidXLogRecPtr;   // of the last job that has ended
};
/// Takes the news. `rereads`, `rates_open_at` and `last_end` are the present values; they stay.
SchedulerNews take_news() noexcept;
/// Whether the flag `ended` is set and wakes the scheduler (queue_notify).
void watch_ends(bool wanted) noexcept;

/// An owner with ready jobs that may start, or with workers.
struct OwnerWork {
  OwnerId owner = 0;  // a role
  bool has_work = false;
  int workers = 0;  // that serve it
  int idle = 0;     // of these
};
/// The role whose turn it is comes first. The scheduler is told once (`work`) when an owner gets
/// work that no idle worker takes. It then watches that owner itself, until one of its workers has
/// found nothing to do, or it has none to give and calls this again.
std::vector<OwnerWork> owners();

/// Lets types start again whose rate permits it, and wakes their workers.
void open_rates() noexcept;

/// Only this job can be claimed while the place is kRecovering, by a worker of its owner: a
/// suspect. Returns false if the job has a holder or its type is not known. It replaces a single
/// job that no worker has claimed yet.
bool start_singly(const Jobs& job) noexcept;
enum class SingleState : std::uint8_t { kNone, kWaits, kRuns };
/// kNone after its end. It goes on if the scheduler opens the place.
SingleState single_state() noexcept;

/// These segments must be read again: a bit for each. It is in SchedulerNews::rereads until the
/// reread begins.
void want_rereads(std::uint8_t segments) noexcept;
/// A reread: begin, take a snapshot, post all unmarked rows of the segment, end.
void begin_reread(std::uint8_t segment) noexcept;
void end_reread(std::uint8_t segment) noexcept;

/// Terminates each worker whose job goes on for `grace` microseconds after cancel_running(), or
/// after the timeout of its type. Returns the time of the next such end, or PG_INT64_MAX.
TimestampTz end_overdue(std::int64_t grace) noexcept;

}  // namespace metrics_refresh::shmem::queue
