// The worker's side of claims. A worker attaches as the server of one owner, and repeats:
//
//   next()            claims and starts a job, or asks for another step
//   (reads the row with a new snapshot, runs the handler, writes the end)
//   mark_committed()  in the commit callback (XACT_EVENT_COMMIT)
//   end_and_next()    ends the job, and starts the next one under the same lock
//
// If it exits anywhere, the jobs that it has not committed are given back.
#pragma once

#include "shmem/queue/live_counts.hpp"

namespace metrics_refresh::shmem::queue {

using core::queue::kMostInBite;
using Reading = core::queue::ReadyWork::Reading;
using Found = core::queue::ReadyWork::Found;

/// Registers this process as a worker of the owner. Returns false if the process that had the slot
/// before is still exiting: try again a moment later, or if the place was made anew. `worker` is
/// the index of its slot (shmem/worker_slots). Its exit detaches it, too. A worker that serves
/// another owner detaches first. REQUIRES: require_queue() or find_queue().
bool attach(int worker, Oid owner);
/// Ends the service: committed jobs end, all others and a span to read are given back. Wakes others
/// if there is work. The callback that gives up the slot at the exit of the process calls it first,
/// so that the slot has no other process yet; the transaction has been aborted by then.
void detach() noexcept;

struct Started {
  JobNumber job = 0;
  Tid tid;  // of its row; offset 0: find it by its number
  std::uint8_t segment = 0;
  TypeId type = 0;
  TimestampTz at = 0;       // the start of the attempt
  core::Duration mean{-1};  // of the type; negative: unknown
  bool is_last = false;     // none waits in the bite
  bool is_single = false;   // in no group: from start_singly(), after a loss of a worker or a crash
};
enum class NextStep : std::uint8_t {
  kRun,      // `started`
  kRead,     // `reading`: read it with a new snapshot, and put_back()
  kNothing,  // the owner has no job that may start; the bite is empty, too
  kLeave     // the place was made anew: the worker must detach
};
struct Next {
  NextStep step = NextStep::kLeave;
  Started started;
  Reading reading;
};
/// The next job of the bite, or of a new bite. `only_bite`: does not claim another one, which
/// `grouped` needs as long as its transaction is open; a job that is_single waits. After a claim it
/// wakes another worker of the owner if there is more to do.
Next next(bool only_bite = false) noexcept;

/// A transaction has committed, with this number and end of its record: that of the started job, or
/// of all started jobs if `job` is 0. A call per transaction with jobs in it; later ends refer to
/// it.
void mark_committed(JobNumber job, TransactionNumber transaction, XLogRecPtr lsn) noexcept;
/// Of several jobs that have started, the worker performs this one now. `canceled`: it was canceled
/// before.
void go_on_with(JobNumber job, bool canceled) noexcept;

enum class Outcome : std::uint8_t {
  kCompleted,
  kParked,  // to queue_later: a retry or a snooze
  kDead,
  kCanceled,
  kIsNoJob,  // the row is not visible, or has an end mark: the hint was wrong
  kReturned  // not committed: as ready as before
};
struct End {
  JobNumber job = 0;
  Outcome outcome = Outcome::kCompleted;
  bool attempt_failed = false;  // this one has
  bool had_failed = false;      // flag 0 of the row
  bool has_failed = false;      // flag 0 of the new row of kParked
  std::int64_t batch = 0;
  core::Duration took{-1};  // the duration of the attempt for the mean; negative: does not count
};
/// Ends started jobs: each outcome but the last two after mark_committed(). Jobs that are awaited
/// and batches are told to their waiters with the LSN.
void end(const End* ends, std::uint32_t count) noexcept;
/// The same, and next() under one lock.
Next end_and_next(const End* ends, std::uint32_t count, bool only_bite = false) noexcept;
/// The process ends while it performs the job: counts that, and returns how often in a row. With
/// `limit`, the count begins anew. If the jobs are more than are kept, the oldest is forgotten; the
/// new one goes on with its count if both belong to one owner.
int count_lost_worker(JobNumber job, int limit) noexcept;
/// Gives back all jobs of the bite that have not started.
void give_back_waiting() noexcept;

/// REQUIRES: next() has returned kRead. As ReadyWork::put_back().
void put_back(const Found* found, std::uint32_t count, JobNumber read_until) noexcept;

/// Marks this worker as idle: a post for its owner sets its latch. Returns false if there is
/// something to do. It stays idle until its latch is set or it calls another function of this file.
/// `look_again` is the time at which a rate limit opens, or PG_INT64_MAX: it must not sleep longer.
bool rest(TimestampTz* look_again) noexcept;
/// True if cancel_running() meant the job that this worker has started last. A cancel request that
/// is still pending when the job has ended must be dropped after end(), and before the next job.
bool is_canceled() noexcept;

struct JobProgress {
  std::int64_t done = 0;
  std::int64_t total = -1;  // negative: unknown
  char note[101] = "";
};
/// Shows the progress of the job that this worker has started last. Returns false if there is none.
bool show_progress(const JobProgress& progress) noexcept;
/// The number of that job; 0 if there is none.
JobNumber running_job() noexcept;
/// Whether this worker has started the job, and has not told its end.
bool has_started(JobNumber job) noexcept;

}  // namespace metrics_refresh::shmem::queue
