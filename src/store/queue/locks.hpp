// Locks that last until the transaction ends, and that no SQL command takes: for names of job types
// and unique keys of jobs. A lock is of a hash, so two names or keys may seldom share one.
#pragma once

#include <string>

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// Keeps other sessions from making a type of this name. Sessions of `role` wait for each other.
/// Returns false if another role is about to make it. The unique index alone would let a role wait
/// for the transaction of another one that inserts the same name.
bool reserve_type_name(const std::string& name, Oid role);

/// Locks a unique key (job.hpp, unique_hash). Only transactions that enqueue jobs with the same key
/// wait here, as long as one of them is open. Lock several keys in the order of their numbers.
/// REQUIRES: lock_keys_of_type(), not exclusive.
void lock_unique_key(std::int64_t hash);
/// Locks all keys of the type if `exclusive`. Otherwise it waits only for such a lock.
void lock_keys_of_type(TypeId type, bool exclusive);

}  // namespace metrics_refresh::store::queue
