// The scheduler claims slots for new tasks, and releases those whose processes did not start.
#pragma once

#include <cstdint>
#include <map>

#include "shmem/worker_slots.hpp"

namespace metrics_refresh::shmem {

/// A slot that the caller has claimed. If `start`, the caller must start its process.
struct Claim {
  int index;  // -1 without a slot
  bool start;
  std::uint64_t generation;
};

/// Assigns the run to an idle or starting worker of the same database and session. Otherwise to a
/// free slot, whose process the caller must start. `index` is -1 if a worker
/// still has a run of the job (or of this member). It is also -1 if no slot is available. Then an
/// idle worker of another session is asked to exit.
Claim claim_slot(Oid database, const Session& session, const Assignment& run);
/// Assigns the service of the queue for `owner` in the same way. `index` is -1 if the queue has all
/// workers of its part of the pool.
Claim claim_service(Oid database, const Session& session, Oid owner);
/// Reserves a free slot for a worker that will be ready for a coming run. The caller must start its
/// process. `index` is -1 if `wanted` workers of the session are idle or starting already, or if no
/// slot is free.
Claim claim_spare(Oid database, const Session& session, int wanted);
/// If there are fewer workers and free slots than `wanted`, asks the missing number of idle workers
/// of other sessions to exit. Returns true if some of them have not exited yet.
bool make_room(Oid database, const std::map<Session, int>& wanted);
/// Releases the slot of a claim whose process could not be started. Returns true if its run can be
/// assigned again. If the run was canceled meanwhile, the slot becomes kDead, and the scheduler
/// logs the end.
bool release_claim(int index, std::uint64_t generation);
/// Releases the slots of `database` whose processes have not attached, like release_claim(). Their
/// scheduler may have died before it learned that a process could not start. A process that arrives
/// later is refused. REQUIRES: the caller is a new scheduler and has claimed no slot.
void release_unstarted(Oid database);
/// The number of runs that the database can start now: free slots, and workers without a task, as
/// far as the runs' part of the pool allows (queue_share.hpp). `limit` is the maximum of runs of
/// the database under way, or 0 for no limit.
int free_workers(Oid database, int limit);

}  // namespace metrics_refresh::shmem
