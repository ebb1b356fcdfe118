// Shares of roles in the room that all roles of the database use. Each is a number of the role, in
// an entry that lasts as long as one of the numbers is not 0.
//
// Of holds and claims from outside, a role may take one more as long as it has fewer than are free.
// So one role can have half of the room, two a third each, and so on: there is always some left for
// another role. A fixed part would leave nothing if as many roles as there are parts act together.
//
// Of jobs that have not ended, a role has at most as many as its caller says. A transaction gets a
// promise before it adds some. Promises count until the post of the transaction has counted the
// jobs, or its abort has ended them. So no number of sessions gets beyond the limit together.
#pragma once

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

/// Jobs that a transaction may add to the types of a role.
struct Promise {
  Oid role = InvalidOid;
  std::int64_t jobs = 0;
  std::int64_t used = 0;  // of them, for the session alone
};

struct Promised {
  bool is_refused = false;
  std::int64_t jobs = 0;  // `least` or more; 0 if they are not counted, for lack of an entry
};
/// Promises `least` jobs, or up to `wish` if that is at most a thousandth of those that are left.
/// Refuses if the role would have more than `most`, with its jobs and batches that have not ended,
/// and all promises.
Promised promise_jobs(Oid role, std::int64_t least, std::int64_t wish, std::int64_t most) noexcept;
/// The abort. After a commit, post() does it.
void end_promises(const Promise* promises, std::uint32_t count) noexcept;

}  // namespace metrics_refresh::shmem::queue
