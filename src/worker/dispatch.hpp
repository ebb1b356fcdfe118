// Connects the scheduler with the workers. It assigns runs, collects their results, and closes the
// log rows that dead workers left open.
#pragma once

#include "core/scheduler/scheduler.hpp"

#include <map>
#include <vector>

#include "shmem/worker_claims.hpp"
#include "shmem/worker_slots.hpp"
#include "store/jobs.hpp"
#include "worker/job_feed.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

class Dispatch {
 public:
  /// `jobs` outlives this.
  explicit Dispatch(JobFeed& jobs) : jobs_(jobs) {}

  /// Closes the runs of dead workers, and adds an event for each run that was `under_way` when this
  /// scheduler began. REQUIRES: called once, before the first hand_over().
  void adopt(const std::vector<shmem::SlotView>& under_way, std::vector<core::Event>& events);

  /// Assigns the run to a worker. Returns false if none is free.
  bool hand_over(const core::Start& start);

  /// Counts a missed due time for the current run of the job, or else for its next run.
  void count(const core::Missed& missed);

  /// Starts workers for jobs that are due soon, so that no run has to wait for its process. Returns
  /// true if a worker of another owner must exit first. Then call it again after a moment.
  bool make_ready(const std::vector<core::JobId>& jobs);

  /// Starts the process of a claim. Returns false if that is not possible; the claim is released
  /// then.
  bool start_worker(const shmem::Claim& claim);

  /// The services of the queue that collect() has found to be over since the last call.
  std::vector<shmem::WorkerSlot> take_ended_services() {
    return std::exchange(ended_services_, {});
  }

  /// Adds an event for each run that has ended.
  void collect(std::vector<core::Event>& events);

  /// When to call collect() again without a report of a worker, or nothing.
  std::optional<core::Instant> try_again_at() const;

 private:
  struct Starting {
    BackgroundWorkerHandle* handle;
    std::uint64_t generation;
  };

  void check_starting_workers();
  // A run that could not begin, and the time of the next try. Until then core::Scheduler regards it
  // as under way, so it does not delay the starts of other jobs.
  struct Unbegun {
    core::JobId job;
    std::optional<int> member;
    core::Instant again_at;
  };

  // The failed tries to begin a run.
  struct Tries {
    shmem::Assignment run = {};
    int count = 0;
    bool canceled = false;  // during one of the tries
    Backoff backoff;
  };

  enum class Again { kAtOnce, kSoon, kEverLater };

  bool end_unbegun(const shmem::WorkerSlot& slot, std::vector<core::Event>& events);
  void try_again(const shmem::WorkerSlot& slot, Again when);
  const Tries* find_tries(const shmem::Assignment& run) const;
  void forget_old_tries();
  void record_terminated(const shmem::WorkerSlot& slot);
  void close_orphans();

  JobFeed& jobs_;
  std::map<int, Starting> starting_;              // by slot
  core::Instant remind_at_;                       // when to call remind_postmaster() for them
  std::map<core::JobId, std::int64_t> to_count_;  // missed due times, for the next run of the job
  std::vector<Unbegun> unbegun_;
  std::vector<shmem::WorkerSlot> ended_services_;
  std::map<std::pair<core::JobId, int>, Tries> tries_;  // by job and member
  std::size_t many_tries_ = 64;                         // the size at which old tries are removed
  std::map<core::RunId, shmem::EndReason> terminated_;  // until their log rows are closed
  bool orphans_ = false;        // there may be log rows that could not be closed yet
  core::Instant try_again_at_;  // when to close them
};

}  // namespace metrics_refresh::worker
