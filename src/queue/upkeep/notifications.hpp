// Notifies listeners on the channel metrics_refresh when jobs have ended: at most 10 times a
// second, never in the transaction of a job, and when the ends are durable. Every role may listen,
// so a notification has numbers of types instead of names.
//
//   {"queue": {"completed": 120, "failed": 1, "dead": 0, "canceled": 0, "types": [3, 7]},
//    "at": "2026-11-30T10:15:00.123+00:00"}
#pragma once

#include <map>

#include "queue/upkeep/due.hpp"
#include "shmem/queue/live_counts.hpp"

namespace metrics_refresh::queue {

class Notifications {
 public:
  /// Ends before this moment are not told.
  void begin();
  /// Jobs have ended.
  void expect(core::Instant now);

  void work(core::Instant now);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  std::map<shmem::queue::TypeId, shmem::queue::Ends> told_;
  bool is_watching_ = false;
  core::Instant last_ = core::Instant::min();
  Due due_;
};

}  // namespace metrics_refresh::queue
