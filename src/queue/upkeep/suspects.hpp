// Jobs that were running when the server crashed. One of them may have caused it. So they run again
// alone, one after the other, before any other job of the database starts; a job that crashes the
// server too often is dead (core/queue/crash_policy.hpp).
#pragma once

#include <deque>

#include "queue/upkeep/due.hpp"
#include "queue/upkeep/types.hpp"
#include "shmem/queue/crashed_jobs.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::queue {

class Suspects {
 public:
  /// Writes down the last crash of the server, durably: attempts, failures, and which jobs are
  /// suspects. Then reads all suspects, also those of earlier crashes. Returns false if that is not
  /// possible now. REQUIRES: claims are closed, and the current segment is known.
  bool read(const Types& types);
  bool empty() const noexcept { return waiting_.empty() && !runs_; }

  /// Starts the next one if the last one has ended, or has had its time.
  void work(core::Instant now, const Types& types);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }
  /// The job that runs alone may have ended.
  void expect() { due_.at_once(); }

 private:
  struct Suspect {
    store::queue::JobNumber job;
    std::optional<core::Instant> until;  // if it could not be started, it is tried again until then
  };
  enum class Start { kRuns, kNotNow, kNever };

  bool record(const shmem::queue::CrashedJobs& crash, const Types& types);
  Start start(store::queue::JobNumber number, const Types& types);
  void try_again(Suspect suspect, core::Instant now);

  std::deque<Suspect> waiting_;  // those that were tried are behind the others
  bool runs_ = false;
  core::Instant until_ = core::Instant::min();  // the last one has its time
  Due due_;
};

}  // namespace metrics_refresh::queue
