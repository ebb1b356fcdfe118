// The pool of workers. Each worker has one slot, which also holds its run. A slot outlives its
// process. The scheduler thus learns that a worker died, and a new scheduler learns of the runs
// that are under way.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

enum class SlotState : std::uint8_t {
  kFree,      // -> kStarting, kAssigned
  kStarting,  // a process without a task is starting -> kIdle, kAssigned, kFree (it failed)
  kAssigned,  // a task waits for its worker          -> kRunning, kDead, kFree (no process
              //                                         started)
  kRunning,   // the worker performs the task         -> kEnded, kDead
  kEnded,     // the task is over; the worker waits   -> kIdle (collected by the scheduler), kFree
              //                                         (collected after the worker has exited)
  kIdle,      // the worker waits for another task    -> kAssigned, kFree (it exited)
  kDead,      // the worker exited during the task    -> kFree (collected by the scheduler)
};

enum class Trigger : std::uint8_t { kSchedule, kManual };

inline constexpr int kNoMember = -1;

enum class TaskKind : std::uint8_t { kRun, kQueueService };

/// The task of a worker: a run of a job, or of one member of a group. Or the service of the queue
/// for one owner: then only `kind` and `owner` are used.
struct Assignment {
  TaskKind kind;
  std::int64_t run_id;        // 0 if the worker takes the next number
  std::int64_t job_id;        // for a member, the job of its group
  Oid owner;                  // of the job; the run counts towards this role's share of workers.
                              // Or of the queued jobs that the service performs
  std::int64_t group_run_id;  // for a member, the run of its group; otherwise 0
  int member;                 // or kNoMember
  int attempt;                // from 1; a higher number is a retry
  TimestampTz due;
  TimestampTz
      handled_until;  // due times of the job up to this time are handled when the run begins
  bool canceled;      // the run was canceled while an earlier worker tried to begin it
  Trigger trigger;
  std::int64_t missed;  // due times of the job that passed before the run was assigned
  int tries;            // number of workers that could not begin the run
};

/// The result of a run for the scheduler.
enum class RunResult : std::uint8_t {
  kSuccess,   // also if there was nothing to do
  kFailure,   // the failure is logged
  kOpened,    // the run of a group is planned and continues in its members
  kNotBegun,  // the log could not be written, so nothing was done; the run must be tried again
  kOutdated,  // the session is not like a new one any more; the run must begin in a new one at once
  kHopeless,  // the run cannot begin for a permanent reason, and the worker cannot log that
};

/// The phase of a refresh with the strategy diff.
enum class Phase : std::uint8_t {
  kNone,     // no such refresh, or it has not begun
  kView,     // reads the view
  kQuery,    // runs the definition
  kCompare,  // compares rows that did not fit into memory
  kWrite,    // writes the differences
};

struct Progress {
  Phase phase;
  std::int64_t rows_read;      // in this phase
  std::int64_t rows_expected;  // in this phase, estimated from the view
  std::int64_t rows_changed;   // so far
};

/// The reason why the worker of a run was terminated.
enum class EndReason : std::uint8_t {
  kNone,
  kCanceled,            // the run went on for the grace period after a cancel request
  kMaxRuntime,          // the run went on for the grace period after its max_runtime
  kYielded,             // the run went on for the grace period after it had to give up its worker
  kTransactionTimeout,  // a transaction of the command exceeded transaction_timeout
};

/// The session of a worker, which never changes.
struct Session {
  Oid role;
  bool assumed;  // the worker connected as the bootstrap superuser and then assumed the role

  bool operator==(const Session& other) const noexcept {
    return role == other.role && assumed == other.assumed;
  }
  bool operator<(const Session& other) const noexcept {
    return role != other.role ? role < other.role : assumed < other.assumed;
  }
};

struct WorkerSlot {
  SlotState state;
  bool cancel_requested;
  bool yields;               // the cancel request gives the worker to another owner
  bool limited;              // the limits of the run are known, and its end is not being logged yet
  EndReason end;             // kNone unless the worker was terminated because of the run
  std::int64_t canceled_at;  // time of the cancel request, or when a queue service was asked to
                             // leave, by pg::steady_now()
  std::int64_t deadline;     // end of max_runtime if the run is limited, by pg::steady_now()
  bool leave;                // the worker gets no further run and exits
  bool rests;                // the worker of a queue service has nothing to do
  bool has_worked;           // the queue service has begun to perform a job
  bool begin_is_reported;    // the begin of the run is committed, or needs no log
  std::uint64_t generation;  // identifies one use of the slot by one process
  Oid database;
  Session session;
  PGPROC* worker;  // null while the process starts
  pid_t pid;       // 0 while the process starts
  Assignment run;
  RunResult result;                // if the run has ended
  TimestampTz started_at;          // start of the run, or 0
  std::int64_t started_at_steady;  // the same, by pg::steady_now()
  std::int64_t missed;             // due times of the job that passed during the run
  TimestampTz last_missed;         // the latest of them
  Progress progress;               // of the run
};

/// A copy of a slot, for use without the lock.
struct SlotView {
  int index;
  WorkerSlot slot;
};

// For the scheduler.

/// The number of runs that are under way in the cluster, by owner of the job.
std::map<Oid, int> runs_by_owner();
/// Collects the slots of `database` that have ended or died: kEnded becomes kIdle, and kDead
/// becomes kFree. Returns the slots as they were before, with those of queue services.
std::vector<SlotView> collect_finished(Oid database);
/// Releases a slot whose process ended before it attached. The slot becomes kDead if it has a run,
/// and otherwise kFree.
void mark_never_started(int index, std::uint64_t generation);
/// Counts a due time that passed while a run of the job is under way. Returns false if there is no
/// such run.
bool count_missed(Oid database, std::int64_t job_id, TimestampTz due);

/// True from the assignment of a task to its end. REQUIRES: the lock is held, or it is a copy.
bool has_task(const WorkerSlot& slot) noexcept;
/// The same, if the task is a run. REQUIRES: the same.
bool has_run(const WorkerSlot& slot) noexcept;
/// The same, if the task is the service of the queue. REQUIRES: the same.
bool is_service(const WorkerSlot& slot) noexcept;
/// True if a slot of the database has a task, or a result to collect. REQUIRES: the lock is held.
bool has_unfinished_locked(Oid database) noexcept;
/// Frees the slot and wakes the schedulers that wait for one. REQUIRES: the lock is held.
void free_slot_locked(WorkerSlot& slot) noexcept;
/// Frees the slots of workers that are gone, without a log, and forgets the skipped jobs of the
/// database. Used if the jobs do not exist any more.
void free_dead_slots(Oid database);
/// Only frees the slots. REQUIRES: the lock is held.
void free_dead_slots_locked(Oid database) noexcept;

// For all processes.

/// The slots of `database`, or of all databases for InvalidOid, that have a run.
std::vector<SlotView> busy_slots(Oid database);
/// The slots of `database` that have a run, or the result of a run that was not collected.
std::vector<SlotView> unfinished_slots(Oid database);
/// True if a slot of the database has a task.
bool has_tasks(Oid database);
/// Wakes the processes that wait for the end of a run.
void announce_run_end();
/// To wait for the end of a run: prepare, check whether it has ended, sleep, and check again. A run
/// that ends after the first check ends the sleep. `timeout` is in milliseconds. Cancel the sleep
/// when done; the abort of a transaction does so as well. REQUIRES: inside pg::call().
void prepare_for_run_end();
void sleep_until_run_end(long timeout);
void cancel_run_end_sleep();

// For the worker.

/// True if a process has attached to the slot, or the slot has another generation by now.
bool has_arrived(int index, std::uint64_t generation);
/// Attaches this process to its slot. Returns false if the slot was given up or the database must
/// not be entered.
bool attach_worker(int index, std::uint64_t generation);
/// A copy of the slot. A new worker reads its database and its session from it.
WorkerSlot read_slot(int index);
/// Copies the assigned run and marks it as running. Returns false if there is none.
bool take_assignment(int index, Assignment& run);
/// Notes that the begin of the run is committed under this number, or 0 if it needs no log. If the
/// worker dies earlier, the scheduler logs the run. Later its row in active_run shows that the run
/// was interrupted.
void report_begin(int index, std::int64_t run_id);
/// Puts the limits of the run in force, until lift_limits(). The worker is terminated if the run
/// continues for `grace` microseconds after the deadline or a cancel request.
void set_limits(int index, std::int64_t deadline, std::int64_t grace);
void lift_limits(int index);
/// Publishes the progress of a refresh if this process is a worker. Otherwise it does nothing.
/// REQUIRES: inside pg::call().
void show_progress(const Progress& progress) noexcept;
/// True if a queue service is to end, for example because other owners wait. It needs no lock, and
/// may be late.
bool is_to_leave(int index) noexcept;
/// Says whether the service has nothing to do. The same holds.
void show_rest(int index, bool rests) noexcept;
/// Says that the service performs a job. The same holds.
void show_work(int index) noexcept;
/// Ends the run with `result`. If `last`, the worker takes no further run.
void end_run(int index, RunResult result, bool last);
/// Leaves the slot. Returns false if a run has been assigned meanwhile, or the scheduler has not
/// collected the last result. When it collects it, it sets the latch, and assigns no further run.
bool leave_idle(int index);
/// Leaves the slot at process exit. The slot becomes kDead if a run was under way. `end` is the
/// reason if the worker knows it, or kNone. Never raises.
void detach_worker(int index, std::uint64_t generation, EndReason end) noexcept;

}  // namespace metrics_refresh::shmem
