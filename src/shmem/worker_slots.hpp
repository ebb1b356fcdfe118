// The pool of workers as everybody sees it: one slot a worker, with the run that it serves. A slot
// outlives its process, so the scheduler learns of a worker that died, and a new scheduler of a
// run that is still under way.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

enum class SlotState : std::uint8_t {
  kFree,      // -> kStarting, kAssigned
  kStarting,  // a process starts that has no run yet -> kIdle, kAssigned, kFree (it never came)
  kAssigned,  // a run waits for its worker           -> kRunning, kDead
  kRunning,   // the worker is at it                  -> kEnded, kDead
  kEnded,     // done and logged; the worker waits    -> kIdle (the scheduler took note), or kFree
              // where the worker has left meanwhile
  kIdle,      // the worker lingers for another run   -> kAssigned, kFree (it left)
  kDead,      // the worker left without a word       -> kFree (the scheduler took note)
};

enum class Trigger : std::uint8_t { kSchedule, kManual };

inline constexpr int kNoMember = -1;

/// What a worker is told to do: a run of a job, or of one member of a group's run.
struct Assignment {
  std::int64_t run_id;        // 0: the worker takes the next one
  std::int64_t job_id;        // of a member: its group
  Oid owner;                  // of the job: whose share of the workers it takes
  std::int64_t group_run_id;  // of a member: its group's run; else 0
  int member;                 // or kNoMember
  int attempt;                // from 1; more is a retry
  TimestampTz due;
  TimestampTz handled_until;  // the job's due times up to here are history once the run has begun
  bool canceled;              // when a worker had it that could not begin
  Trigger trigger;
  std::int64_t missed;  // due times of the job that passed before the run was assigned
  int tries;            // so many workers could not begin it
};

/// How a run left its worker.
enum class RunResult : std::uint8_t {
  kSuccess,   // also where there was nothing to do
  kFailure,   // logged, whatever the reason
  kOpened,    // a group's run is planned: it goes on in its members
  kNotBegun,  // the log could not be written, so nothing was done: it is to be tried again
  kOutdated,  // a new session of the owner's would be another: it is to begin in one, at once
  kHopeless,  // the same for a reason that stays, and the worker cannot log its failure either
};

/// What a refresh by difference is at.
enum class Phase : std::uint8_t {
  kNone,     // no such refresh, or nothing said yet
  kView,     // reads the view
  kQuery,    // runs the view's definition
  kCompare,  // compares rows that did not fit into memory
  kWrite,    // writes what differs
};

struct Progress {
  Phase phase;
  std::int64_t rows_read;      // in this phase
  std::int64_t rows_expected;  // to be read in this phase, as far as the view tells
  std::int64_t rows_changed;   // written so far
};

/// Why the worker of a run was told to exit, or had to.
enum class EndReason : std::uint8_t {
  kNone,
  kCanceled,            // the run did not end within the grace period after it had been canceled
  kMaxRuntime,          // nor within the one after its max_runtime
  kYielded,             // nor within the one after it was to give its worker up
  kTransactionTimeout,  // a transaction of its command's took too long
};

/// Whose session a worker has, for as long as it lives.
struct Session {
  Oid role;
  bool assumed;  // connected as the bootstrap superuser, who made the role the session's user

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
  bool yields;               // and why: it is to give its worker up for another owner
  bool limited;              // from when the run's limits are known to when its end is being logged
  EndReason end;             // why the worker was terminated, where the run was the reason
  std::int64_t canceled_at;  // by pg::steady_now(), where a cancel was requested
  std::int64_t deadline;     // likewise, of a limited run: when its max_runtime passes
  bool leave;                // exits when it has nothing to do; gets no further run
  bool noted;                // the run's begin is committed, or it needs no log
  std::uint64_t generation;  // tells a worker whether the slot is still its own
  Oid database;
  Session session;
  PGPROC* worker;  // null while the process starts
  pid_t pid;       // 0 while the process starts
  Assignment run;
  RunResult result;         // of a run that ended
  TimestampTz started_at;   // of the run; 0 before it
  std::int64_t taken_at;    // the same by pg::steady_now()
  std::int64_t missed;      // due times of the job that passed while the run was under way
  TimestampTz last_missed;  // the latest of them
  Progress progress;        // of the run
};

/// A copy of a slot, to look at without the lock.
struct SlotView {
  int index;
  WorkerSlot slot;
};

// For the scheduler.

/// Gives the run to an idle worker of the same database and session, or one that is just starting,
/// or to a free slot whose process the caller must then start (`start` set). index is -1 where
/// every slot is taken; an idle worker of somebody else's is then asked to leave; and where a
/// worker still has a run of the job (or of this member of it).
struct Claim {
  int index;
  bool start;
  std::uint64_t generation;
};
Claim claim_slot(Oid database, const Session& session, const Assignment& run);
/// Reserves a free slot for a worker that shall be ready for a run to come; the caller must start
/// its process. index is -1 where `wanted` workers of the session are idle or starting already, or
/// no slot is free.
Claim claim_spare(Oid database, const Session& session, int wanted);
/// Where the sessions lack workers of the numbers `wanted`, and no slot is free, asks as many idle
/// workers to leave that are none of these sessions'. True where some are about to.
bool make_room(Oid database, const std::map<Session, int>& wanted);
/// Takes a claim back whose process could not be started.
void release_claim(int index, std::uint64_t generation);
/// How many runs the database can have started now: slots that are free, or whose worker has
/// nothing to do. `limit`: of the database's runs under way; 0: none.
int free_workers(Oid database, int limit);
/// How many runs of each owner's jobs are under way in the cluster.
std::map<Oid, int> runs_by_owner();
/// Takes note of the slots of `database` that ended or died: kEnded becomes kIdle and kDead becomes
/// kFree. Returns them as they were.
std::vector<SlotView> collect_finished(Oid database);
/// Takes note that the process for a slot never came: the slot becomes kDead, kFree where it had no
/// run.
void mark_never_started(int index, std::uint64_t generation);
/// One more due time passed while the job's run is under way. False where it is not.
bool count_missed(Oid database, std::int64_t job_id, TimestampTz due);

/// True from the assignment of a run to its end. REQUIRES: the lock is held.
bool has_run(const WorkerSlot& slot) noexcept;
/// True where a slot of the database needs its scheduler, now or soon. REQUIRES: the lock is held.
bool has_unfinished_locked(Oid database) noexcept;
/// Makes the slot free and wakes schedulers that wait for one. REQUIRES: the lock is held.
void free_slot_locked(WorkerSlot& slot) noexcept;
/// Frees what died, of which nothing needs to be said any more, and forgets what was skipped.
void free_dead_slots(Oid database);
/// The same. REQUIRES: the lock is held.
void free_dead_slots_locked(Oid database) noexcept;

// For everybody.

/// The slots of `database`, InvalidOid: of all, that have a run, from assignment to its end.
std::vector<SlotView> busy_slots(Oid database);
/// And those of whose end no scheduler has taken note.
std::vector<SlotView> unfinished_slots(Oid database);
/// Wakes those who wait for a run to end.
void announce_run_end();
/// To wait for the end of a run: prepare, look whether it has ended, sleep, look again. A run that
/// ends after the first look ends the sleep. Sleeps at most so many milliseconds. Cancel at the
/// end; the abort of a transaction does so, too. REQUIRES for all: inside pg::call().
void prepare_for_run_end();
void sleep_until_run_end(long timeout);
void cancel_run_end_sleep();

// For the worker.

/// True where a process serves the slot, or the slot is no longer of that generation.
bool has_arrived(int index, std::uint64_t generation);
/// Enters the process into its slot. False where the slot is no longer meant for it.
bool attach_worker(int index, std::uint64_t generation);
/// A copy of the slot: for a new worker, which database and whose session it shall have.
WorkerSlot read_slot(int index);
/// Takes the assigned run, or nothing where there is none.
bool take_assignment(int index, Assignment& run);
/// The run's begin is committed under this number (0: it needs no log). Until then the scheduler
/// logs a run whose worker dies; afterwards its row in the table active_run tells of it.
void note_begin(int index, std::int64_t run_id);
/// The run's limits are in force, until lift_limits(): its worker is terminated where it goes on
/// past the deadline, or a cancel, for `grace` microseconds.
void set_limits(int index, std::int64_t deadline, std::int64_t grace);
void lift_limits(int index);
/// Shows how far this process's refresh is, where it is a worker; elsewhere it does nothing. Called
/// within pg::call().
void show_progress(const Progress& progress) noexcept;
/// The run is over, as `result` says. `last`: the worker takes no further run.
void end_run(int index, RunResult result, bool last);
/// Leaves the slot. False where a run has been assigned meanwhile, or where the scheduler has not
/// taken note of the last one's end: it will then set the latch, and assign no further one.
bool leave_idle(int index);
/// At process exit: leaves the slot, kDead where a run was under way. `end`: why, where the worker
/// itself knows. Never raises.
void detach_worker(int index, std::uint64_t generation, EndReason end) noexcept;

}  // namespace metrics_refresh::shmem
