// The truth about the jobs of the stress, beside the queue: which ones were posted, run now, and
// have ended. It stands for the tables. An atomic word for each job lies in shared memory.
#pragma once

#include <atomic>

#include "pg/guard.hpp"
#include "shmem/queue/holds.hpp"
#include "shmem/queue/outside_claims.hpp"
#include "shmem/queue/post.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "shmem/queue/status.hpp"
#include "shmem/queue/types.hpp"

namespace stress {

namespace queue = metrics_refresh::shmem::queue;
using queue::JobNumber;

constexpr JobNumber kMostJobs = 4'000'000;
constexpr std::uint32_t kPosted = 1, kRunning = 2, kDone = 4;

// Types: 1 plain, with bites; 2 at most two jobs at a time; 3 one at a time of each key; 4 with a
// rate; 5 from outside.
constexpr int kTypes = 5;
constexpr queue::TypeId kOutsideType = 5;
constexpr int kKeys = 8;

struct Oracle {
  PGPROC* scheduler;
  std::atomic<JobNumber> next_block;
  std::atomic<JobNumber> highest;
  std::atomic<bool> stops;
  std::atomic<TimestampTz> gives_up;  // if jobs are lost, at this time
  std::atomic<int> enqueuers;
  std::atomic<std::int64_t> posted, done, starts, wrong_hints, reads, rereads, held, canceled,
      parked, given_back, expired, stale, unknown_open, unknown_rows;
  // Each must stay 0.
  std::atomic<std::int64_t> doubles, repeated, beyond_limits;
  std::atomic<int> running_of_type[kTypes + 1];
  std::atomic<int> running_of_key[kTypes + 1][kKeys];
  std::atomic<std::uint32_t> jobs[kMostJobs];
};
extern Oracle* oracle;

/// queue::require_queue(), for a function that the server calls.
inline void require_queue() {
  metrics_refresh::pg::boundary([] { queue::require_queue(); });
}

inline std::uint32_t word_of(queue::TypeId type, std::uint32_t key, std::uint8_t segment) {
  return kPosted | static_cast<std::uint32_t>(type) << 8 | key << 12 |
         static_cast<std::uint32_t>(segment) << 20;
}
inline queue::TypeId type_of(std::uint32_t word) { return static_cast<int>(word >> 8 & 15U); }
inline std::uint32_t key_of(std::uint32_t word) { return word >> 12 & 255U; }
inline std::uint8_t segment_of(std::uint32_t word) {
  return static_cast<std::uint8_t>(word >> 20 & 7U);
}
/// The job as a hint.
queue::Jobs job_of(JobNumber job, std::uint32_t word);

/// The job starts, if it has not ended and its row is in that segment. Counts a second run, and
/// limits that do not hold.
bool starts(JobNumber job, std::uint8_t segment);
/// It has ended, or stopped without an end. The other one of the two counts an end that repeats.
void finishes(JobNumber job);
void stops(JobNumber job);
/// Moves the job to another segment, and posts it, as a retry does.
void moves(JobNumber job);

}  // namespace stress
