// Numbers of jobs, by type, segment and role, without a count(*). Each commit that changes them
// posts the difference after it has become visible.
//
// When a place is made, the numbers are unknown. The scheduler makes them exact: begin_recount()
// takes a snapshot and publishes it. From then on each post compares its transaction with that
// snapshot: if the snapshot sees the transaction, the scheduler counts its rows; if not, the post
// counts. end_recount() adds both. So nothing is counted twice or missed, although transactions
// commit meanwhile. Until the first end_recount() the numbers contain only the changes since the
// place was made, and are_exact() is false. Afterwards they stay exact, as long as wants_recount()
// (scheduler_news.hpp) is not set by a transaction that has changed too much to list it.
#pragma once

#include <optional>
#include <vector>

#include "shmem/queue/place.hpp"

namespace metrics_refresh::shmem::queue {

/// Jobs of a type. All are differences in a post.
struct Counts {
  std::int64_t open = 0;      // not ended: pending, failed and processing
  std::int64_t failed = 0;    // those of them whose last attempt has failed
  std::int64_t dead = 0;      // stored as stopped
  std::int64_t canceled = 0;  // stored as stopped
  std::int64_t batches = 0;   // not ended: the type is that of the callback

  Counts& operator+=(const Counts& more) noexcept {
    open += more.open;
    failed += more.failed;
    dead += more.dead;
    canceled += more.canceled;
    batches += more.batches;
    return *this;
  }
  /// The jobs that are open, or will be without another call.
  std::int64_t in_share() const noexcept { return open + batches; }
};
/// Ends since the place was made. A recount does not change them.
struct Ends {
  std::int64_t completed = 0;
  std::int64_t failed = 0;  // failed attempts, also the last ones
  std::int64_t dead = 0;
  std::int64_t canceled = 0;

  Ends& operator+=(const Ends& more) noexcept {
    completed += more.completed;
    failed += more.failed;
    dead += more.dead;
    canceled += more.canceled;
    return *this;
  }
  bool empty() const noexcept { return completed + failed + dead + canceled == 0; }
};
struct TypeCounts {
  TypeId type = 0;
  Counts counts;
  std::uint32_t processing = 0;  // claimed
  Ends ends;
};
struct SegmentCounts {
  std::int64_t rows[kSegments] = {};  // without an end mark
};
struct BatchCount {
  std::int64_t batch = 0;
  std::int64_t open = 0;
};

bool are_exact() noexcept;
TypeCounts type_counts(TypeId type) noexcept;
std::vector<TypeCounts> all_type_counts();
SegmentCounts segment_counts() noexcept;
/// Nothing if the number is not known: the batch has no entry, or it is not exact.
std::optional<std::int64_t> open_jobs_of_batch(std::int64_t batch) noexcept;
// For the scheduler.

/// Takes a snapshot for the recount, registers it, and makes it the active one. The caller reads
/// with it: types from job_type, rows without mark, later, stopped, their batches, and batches.
/// Then it pops and unregisters it. Another call begins again. REQUIRES: inside pg::call(), in a
/// transaction.
Snapshot begin_recount();
struct Recount {
  std::vector<std::pair<TypeId, Counts>> types;
  SegmentCounts segments;
  std::vector<BatchCount> batches;
};
/// Puts the exact numbers in force. Returns false, and changes nothing, if the place was made anew.
bool end_recount(const Recount& recount) noexcept;

}  // namespace metrics_refresh::shmem::queue
