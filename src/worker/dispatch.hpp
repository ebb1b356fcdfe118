// The scheduler's dealings with workers: hands runs over, takes note of their ends, and closes in
// the log what a dead worker left open.
#pragma once

#include "core/scheduler/scheduler.hpp"

#include <map>
#include <vector>

#include "shmem/worker_slots.hpp"
#include "store/jobs.hpp"
#include "worker/backoff.hpp"
#include "worker/job_feed.hpp"

namespace metrics_refresh::worker {

class Dispatch {
 public:
  /// `jobs` outlives this.
  explicit Dispatch(JobFeed& jobs) : jobs_(jobs) {}

  /// Closes the runs of workers that are gone, and adds an event for each that was `under_way` when
  /// this scheduler began.
  /// REQUIRES: called once, before the first hand_over().
  void adopt(const std::vector<shmem::SlotView>& under_way, std::vector<core::Event>& events);

  /// Gives the run to a worker. False where none is free.
  bool hand_over(const core::Start& start);

  /// Counts a due time that no run serves on the job's run, which is under way or will begin.
  void count(const core::Missed& missed);

  /// Has workers started for jobs that are due soon, so that no run has to wait for its process.
  /// True where another owner's worker must leave first: to be called again in a moment.
  bool make_ready(const std::vector<core::JobId>& jobs);

  /// Adds an event for each run that ended.
  void collect(std::vector<core::Event>& events);

  /// When to call collect() again although nobody reports anything; nothing where all is done.
  std::optional<core::Instant> try_again_at() const;

 private:
  struct Starting {
    BackgroundWorkerHandle* handle;
    std::uint64_t generation;
  };

  void check_starting_workers();
  // A run that could not begin, and when it is tried again. To core it is under way meanwhile, so
  // no other job's start waits for it.
  struct Unbegun {
    core::JobId job;
    std::optional<int> member;
    core::Instant again_at;
  };

  // How often a run could not begin.
  struct Tries {
    shmem::Assignment run = {};
    int count = 0;
    bool canceled = false;  // meanwhile
    Backoff backoff;
  };

  enum class Again { kAtOnce, kSoon, kEverLater };

  bool end_unbegun(const shmem::WorkerSlot& slot, std::vector<core::Event>& events);
  void try_again(const shmem::WorkerSlot& slot, Again when);
  const Tries* find_tries(const shmem::Assignment& run) const;
  void forget_old_tries();
  bool start_worker(const shmem::Claim& claim);
  void note_terminated(const shmem::WorkerSlot& slot);
  void close_orphans();

  JobFeed& jobs_;
  std::map<int, Starting> starting_;              // by slot
  core::Instant remind_at_;                       // the postmaster of them
  std::map<core::JobId, std::int64_t> to_count_;  // missed before a run was under way
  std::vector<Unbegun> unbegun_;
  std::map<std::pair<core::JobId, int>, Tries> tries_;  // by job and member
  std::size_t many_tries_ = 64;                         // more than this are looked through
  std::map<core::RunId, shmem::EndReason> terminated_;  // until they are closed
  bool orphans_ = false;        // there may be some that could not be closed yet
  core::Instant try_again_at_;  // to close them
};

}  // namespace metrics_refresh::worker
