// Holds: a session that is about to change a job (cancel, retry, snooze, move) keeps all others
// away from it until its transaction has ended. It holds first, and reads the row with a new
// snapshot after that. The session keeps a list of its holds, and ends each in its callback for the
// end of the transaction.
#pragma once

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

struct HoldResult {
  enum class Result : std::uint8_t {
    kHeld,     // until end_holds()
    kRunning,  // a worker has started it: see cancel_running()
    kOutside,  // it is claimed from outside: see outside_claims.hpp
    kInUse,    // another session holds it
    kNoShare,  // the role has as many holds as are free for others (role_shares.hpp): 53400
    kNoRoom    // the scheduler has, or too many roles have holds: 53400
  };
  Result result = Result::kHeld;
  int worker = -1;  // with kRunning
};
/// InvalidOid as the role stands for the scheduler, which has no share.
HoldResult hold(JobNumber job, Oid role) noexcept;

struct HoldEnd {
  /// The job, as it can be claimed again. `type` is 0 if the session has found no row of it.
  Jobs job;
  /// It is as ready as before: the transaction was rolled back, or has not changed it.
  bool is_ready = false;
  Oid role = InvalidOid;  // as in hold()
};
/// Ends holds and posts those jobs again that are ready, or of which a hint came meanwhile. Before
/// it, the session posts the news of its commit.
void end_holds(const HoldEnd* ends, std::uint32_t count) noexcept;

/// Sends a cancel request (SIGINT) to the worker that has started the job and not committed it.
/// Returns its pid, or 0 if there is none. The job's outcome is the worker's to write, and
/// is_canceled() tells it. A job is canceled once; end_overdue() terminates a worker that goes on.
int cancel_running(JobNumber job) noexcept;

}  // namespace metrics_refresh::shmem::queue
