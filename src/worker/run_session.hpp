// Whose session a run is to have: a refresh that of the view's owner at that time, a command that
// of its job's owner. The plan of a group runs nobody's code, and is made in its job owner's.
#pragma once

#include "shmem/worker_slots.hpp"
#include "store/groups.hpp"

namespace metrics_refresh::store {
struct PlannedJob;
}

namespace metrics_refresh::worker {

/// The session for a run of this job, or, where there is one, of this member of its run. Where the
/// role is gone it is the bootstrap superuser's, whose worker says so in the log. REQUIRES: the
/// scheduler, outside any transaction.
shmem::Session session_for(const store::PlannedJob& job, const store::Member* member);

/// Why the job's owner cannot have work done at all, or nothing. REQUIRES: a worker, in a
/// transaction.
std::optional<store::RunError> owner_problem(const store::JobRecord& job);

/// Throws SqlError 40001 where this worker has another session than that of the view's owner: it
/// has been given to another role since the run was handed over.
void require_session_of(Oid owner, const std::string& view);

/// Why these views cannot be refreshed in one session, or nothing. That is the session of the owner
/// of them all.
std::optional<store::RunError> several_owners(const std::vector<store::Member>& members);

}  // namespace metrics_refresh::worker
