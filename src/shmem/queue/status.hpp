// Copies of the state of the queue, for views and health.
#pragma once

#include <optional>
#include <vector>

#include "shmem/queue/work.hpp"

namespace metrics_refresh::shmem::queue {

/// A job that a worker of the server has started.
struct RunningJob {
  JobNumber job = 0;
  TypeId type = 0;
  std::uint8_t segment = 0;
  int worker = 0;  // the index of its slot
  int pid = 0;
  bool is_committed = false;  // its end is visible, or about to be
  bool is_canceled = false;
  TimestampTz started_at = 0;
  JobProgress progress;
};
std::vector<RunningJob> running_jobs();
/// The worker that runs the job, or nothing. For claims from outside, see outside_claims().
std::optional<RunningJob> find_running(JobNumber job) noexcept;
/// Whether a worker runs the job, or a worker outside the server has claimed it.
bool is_processing(JobNumber job) noexcept;

struct QueueStatus {
  State state = State::kNew;
  TimestampTz made_at = 0;  // the place
  std::uint32_t spans = 0, spans_free = 0;
  std::uint32_t lanes = 0, lanes_free = 0;
  std::uint32_t types = 0, types_free = 0;
  std::uint32_t claims = 0;  // with holds
  std::uint32_t outside = 0;
  std::uint32_t roles = 0;    // that have something of the room for all (role_shares.hpp)
  std::uint32_t workers = 0;  // attached
  bool counts_are_exact = false;
  /// Since when the lane that has waited longest for a turn waits; 0 if none may start.
  TimestampTz oldest_turn = 0;
  XLogRecPtr last_end = InvalidXLogRecPtr;
};
/// Nothing if there is no place.
std::optional<QueueStatus> queue_status() noexcept;

/// A type with ready jobs that may start.
struct WaitingType {
  TypeId type = 0;
  bool is_outside = false;  // they are claimed from outside
  TimestampTz since = 0;    // the lane that has waited longest for a turn waits
};
std::vector<WaitingType> waiting_types();

/// Of the cluster: places in use, and how many there can be.
struct Places {
  int used = 0;
  int most = 0;
};
Places places() noexcept;

}  // namespace metrics_refresh::shmem::queue
