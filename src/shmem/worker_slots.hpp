// The pool of workers as everybody sees it: one slot a worker, with the run that it serves. A slot
// outlives its process, so the scheduler learns of a worker that died, and a new scheduler of a
// run that is still under way.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

enum class SlotState : std::uint8_t {
  kFree,      // -> kAssigned
  kAssigned,  // a run waits for its worker          -> kRunning, kDead
  kRunning,   // the worker is at it                 -> kEnded, kDead
  kEnded,     // done and logged; the worker waits   -> kIdle (the scheduler took note), kDead
  kIdle,      // the worker lingers for another run  -> kAssigned, kFree (it left)
  kDead,      // the worker left without a word      -> kFree (the scheduler took note)
};

enum class Trigger : std::uint8_t { kSchedule, kManual };

/// What a worker is told to do.
struct Assignment {
  std::int64_t run_id;  // 0: the worker takes the next one
  std::int64_t job_id;
  TimestampTz due;
  Trigger trigger;
};

struct WorkerSlot {
  SlotState state;
  bool cancel_requested;
  bool leave;                // exits when it has nothing to do; gets no further run
  bool noted;                // the run's begin is committed, or it needs no log
  std::uint64_t generation;  // tells a worker whether the slot is still its own
  Oid database;
  Oid role;        // connected as; InvalidOid: the bootstrap superuser
  PGPROC* worker;  // null while the process starts
  pid_t pid;       // 0 while the process starts
  Assignment run;
  TimestampTz started_at;  // of the run; 0 before it
  std::int64_t missed;     // due times of the job that passed while the run was under way
};

/// A copy of a slot, to look at without the lock.
struct SlotView {
  int index;
  WorkerSlot slot;
};

// For the scheduler.

/// Gives the run to an idle worker of the same database and role, or to a free slot whose process
/// the caller must then start (`start` set). index is -1 where every slot is taken; an idle worker
/// of somebody else's is then asked to leave; and where a worker still has a run of the job.
struct Claim {
  int index;
  bool start;
  std::uint64_t generation;
};
Claim claim_slot(Oid database, Oid role, const Assignment& run);
/// Takes a claim back whose process could not be started.
void release_claim(int index);
/// Takes note of the slots of `database` that ended or died: kEnded becomes kIdle and kDead becomes
/// kFree. Returns them as they were.
std::vector<SlotView> collect_finished(Oid database);
/// Takes note that the process for an assigned slot never came: the slot becomes kDead.
void mark_never_started(int index, std::uint64_t generation);
/// One more due time passed while the job's run is under way.
void count_missed(Oid database, std::int64_t job_id);
/// Terminates every worker of the database.
void terminate_workers(Oid database);
/// The same. REQUIRES: the lock is held.
void terminate_workers_locked(Oid database) noexcept;

/// True where a slot of the database needs its scheduler, now or soon. REQUIRES: the lock is held.
bool has_unfinished_locked(Oid database) noexcept;
/// Frees what died, of which nothing needs to be said any more.
void free_dead_slots(Oid database);
/// The same. REQUIRES: the lock is held.
void free_dead_slots_locked(Oid database) noexcept;

// For everybody.

/// The slots of `database` that have a run, from assignment to its end.
std::vector<SlotView> busy_slots(Oid database);
/// Wakes those who wait for a run to end.
void announce_run_end();
/// Asks the worker that serves `run_id` to cancel it, once. False where none does.
bool cancel_run(Oid database, std::int64_t run_id);

// For the worker.

/// True where a process serves the slot, or the slot is no longer of that generation.
bool has_arrived(int index, std::uint64_t generation);
/// Enters the process into its slot. False where the slot is no longer meant for it.
bool attach_worker(int index, std::uint64_t generation);
/// The database and role that a new worker shall connect to.
WorkerSlot read_slot(int index);
/// Takes the assigned run, or nothing where there is none.
bool take_assignment(int index, Assignment& run);
/// The run's begin is committed under this number (0: it needs no log). Until then the scheduler
/// logs a run whose worker dies; afterwards its row in the table active_run tells of it.
void note_begin(int index, std::int64_t run_id);
/// The run is over and logged. `last`: the worker takes no further run.
void end_run(int index, bool last);
std::int64_t missed_so_far(int index);
bool cancel_requested(int index);
bool asked_to_leave(int index);
/// Leaves the slot where no run has been assigned meanwhile; false where one has.
bool leave_idle(int index);
/// At process exit: leaves the slot, kDead where a run was under way. Never raises.
void detach_worker(int index, std::uint64_t generation) noexcept;

}  // namespace metrics_refresh::shmem
