// Gives workers to the queue: starts the service of an owner who has ready jobs, and lets owners
// take turns if there are more of them than workers.
//
// A worker serves one owner, since a session cannot change its role. If an owner with ready jobs
// has no worker and none is left, one leaves: a worker without a job at once, and others when they
// have served for kTurn. The owner with the most workers gives one first, in whatever database.
#pragma once

#include <map>
#include <set>

#include "worker/dispatch.hpp"

namespace metrics_refresh::worker {

class QueueServices {
 public:
  explicit QueueServices(Dispatch& dispatch) : dispatch_(dispatch) {}

  /// The database has jobs for workers, or has no more of them.
  void set_needed(bool needed);
  /// Owners may have got work, or workers have ended.
  void expect() { look_at_ = core::Instant::min(); }
  /// The rights of roles may have changed.
  void forget_refused() { refused_.clear(), expect(); }
  /// Starts services if it is time. REQUIRES: outside any transaction.
  void work(core::Instant now, bool may_begin);
  std::optional<core::Instant> try_again_at() const { return look_at_; }

 private:
  // Starts that failed, or workers that died soon after.
  struct Failures {
    store::Backoff backoff;
    int early_deaths = 0;
    core::Instant not_before = core::Instant::min();
  };
  enum class Started { kYes, kNoWorker, kNotNow };

  void collect_ended(core::Instant now);
  Started start(Oid owner, core::Instant now);

  Dispatch& dispatch_;
  bool is_needed_ = false, may_start_ = false;
  std::optional<core::Instant> look_at_;
  std::map<Oid, Failures> failures_;
  std::set<Oid> refused_;  // owners who cannot log in
};

}  // namespace metrics_refresh::worker
