// Chooses the session of a run. A refresh runs in a session of the current owner of the view, and a
// command in a session of the owner of the job. The run of a group is planned in a session of the
// owner of the job. Planning executes no code of users.
#pragma once

#include "shmem/worker_slots.hpp"
#include "store/groups.hpp"

namespace metrics_refresh::store {
struct PlannedJob;
}

namespace metrics_refresh::worker {

/// The session for a run of the job, or of `member` if that is not null. If the role was dropped,
/// it is a session of the bootstrap superuser, whose worker only logs the error. REQUIRES: the
/// scheduler, outside any transaction.
shmem::Session session_for(const store::PlannedJob& job, const store::Member* member);

/// The error if the owner of the job must not have runs, or nothing. REQUIRES: a worker, in a
/// transaction.
std::optional<store::RunError> reason_against_owner(const store::JobRecord& job);

/// Throws SqlError 40001 if this worker is not a session of `owner`. Then the view was given to
/// another role after the run was assigned.
void require_session_of(Oid owner, const std::string& view);

/// The error if these views cannot be refreshed in one session, or nothing. All of them must have
/// the same owner.
std::optional<store::RunError> several_owners(const std::vector<store::Member>& members);

}  // namespace metrics_refresh::worker
