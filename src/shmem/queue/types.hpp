// The copy of the job types that claims need. The scheduler alone writes it: at recovery, and when
// a type has changed. Jobs of a type that is not in it wait. Everything else of a type is in the
// table job_type; processes keep what they have read of it as long as changes_of_types() stays the
// same (shmem/shmem.hpp).
#pragma once

#include <map>

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

/// The most jobs in one transaction of the mode grouped. Each of them is a subtransaction, and a
/// backend shows up to 64 to others: more make all snapshots slower. A handler may have some of its
/// own.
inline constexpr std::uint32_t kMostInGroup = 60;

struct TypeCopy {
  /// With `owner` (or outside_owner()), limits and `paused`. `bite` is the most jobs that a worker
  /// may claim at once: it gets fewer, down to 1, if the mean duration is unknown or too long for
  /// `bite_time`.
  core::queue::TypeSettings settings;
  Oid role = InvalidOid;      // the owner
  core::Duration timeout{0};  // of an attempt; 0: none
  bool is_grouped = false;    // always bites `bite`
};

/// Grows with each commit that has changed types. A commit suspends the types that it has changed:
/// none of their jobs starts by what the scheduler has read before.
std::uint64_t type_changes() noexcept;
/// `changes` is type_changes() from before the type was read. Does nothing if the type has changed
/// since. Returns false if there is no room for one more type.
bool set_type(TypeId type, const TypeCopy& copy, std::uint64_t changes) noexcept;
/// The owners of the types that are known.
std::map<TypeId, Oid> roles_of_types();
/// The number of types that there is room for. 0 if the library is not preloaded.
std::uint32_t type_room() noexcept;
/// The type was dropped. Its jobs are forgotten, and its counts.
void forget_type(TypeId type) noexcept;
/// Starts in the last period that are known from before a restart count for the rate limit.
void book_starts(TypeId type, std::uint32_t count) noexcept;

}  // namespace metrics_refresh::shmem::queue
