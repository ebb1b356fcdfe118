// Changes of existing jobs for callers. A job is held first, so that no worker starts it meanwhile,
// and its row is read after that (shmem/queue/holds.hpp). Rights are checked before both.
#pragma once

#include "store/queue/find.hpp"

namespace metrics_refresh::api {

// The functions throw SqlError 42704 if there is no such job that the caller may see, 42501 if the
// caller may not do this with it, 55P03 if another session is changing it, and 53400 if too many
// jobs are held. REQUIRES: begin_change() in this statement.

/// Throws SqlError 25006 in a transaction that only reads. The transaction cannot be prepared any
/// more; `done` completes "cannot PREPARE a transaction that has …".
void begin_change(const char* function, const char* done);

/// Returns false if the job has already ended. One that runs is canceled at once, and its worker
/// writes the end.
bool cancel_job(store::queue::JobNumber id);

/// Returns false if the job has completed. Throws SqlError 55000 if it has not failed.
bool retry_job(store::queue::JobNumber id);

/// Makes a job ready that was taken out of queue_stopped, with all its attempts.
void restart_stopped(const store::queue::Job& job, store::queue::StopStatus status);

/// Values of a job that waits; nothing means: as it is.
struct WaitingChange {
  std::optional<TimestampTz> run_at;
  std::optional<std::int16_t> priority;
};
/// Returns false if the job has ended. Throws SqlError 55006 if it is running.
bool change_waiting_job(store::queue::JobNumber id, const WaitingChange& change);

/// Removes a dead or canceled job. Returns false if it is neither.
bool remove_stopped_job(store::queue::JobNumber id);

}  // namespace metrics_refresh::api
