// The scheduler's side of the job queue of its database. Workers perform jobs and sessions add
// them, without the scheduler; it does everything that they cannot:
//
//   recovery, types        shared memory knows the jobs and types of the tables
//   mover                  jobs whose time has come
//   dependencies, batches  jobs that follow from the ends of others
//   leases                 jobs that workers outside the server have lost
//   orphans                jobs whose type was dropped
//   rotation, history      storage is used again
//   notifications          listeners hear of ends
//
// Each of them is a step of the scheduler's loop: a short transaction at a time, when it is due.
#pragma once

#include <utility>

#include "queue/upkeep/batches.hpp"
#include "queue/upkeep/dependencies.hpp"
#include "queue/upkeep/history.hpp"
#include "queue/upkeep/leases.hpp"
#include "queue/upkeep/mover.hpp"
#include "queue/upkeep/notifications.hpp"
#include "queue/upkeep/orphans.hpp"
#include "queue/upkeep/recount.hpp"
#include "queue/upkeep/recovery.hpp"
#include "queue/upkeep/rereads.hpp"
#include "queue/upkeep/rotation.hpp"
#include "queue/upkeep/types.hpp"

namespace metrics_refresh::queue {

/// kNothing: a restore is under way, and rows of some tables may still be missing.
enum class MayDo { kNothing, kNoClaims, kAll };

class Upkeep {
 public:
  /// The scheduler was woken: the database may have got a queue.
  void expect();

  /// Takes the news, and each step that is due.
  void work(core::Instant now, MayDo may_do);
  /// When to call work() again without news.
  std::optional<core::Instant> try_again_at() const;
  /// The database has job types, so its scheduler stays.
  bool is_needed() const noexcept { return has_place_ && !types_.empty(); }
  /// The database has jobs for workers of the server.
  bool needs_workers() const noexcept { return has_place_ && types_.has_handlers(); }
  /// True once after an owner got jobs that no idle worker took, or after the types have changed.
  bool take_work() { return std::exchange(has_work_, false); }
  /// When the next job of queue_later is due.
  std::optional<core::Instant> next_due() const { return mover_.try_again_at(); }

 private:
  void find_place(core::Instant now);
  void lose_place();
  void begin_after_restore();
  void read_news(core::Instant now);
  void begin();
  void expect_everything(core::Instant now);
  void open(MayDo may_do);
  void close();
  void take_steps(core::Instant now);
  void keep_pace(core::Instant now);

  // At the start of the scheduler, it looks as after a restore.
  bool has_place_ = false, may_have_types_ = true, is_restoring_ = true;
  bool is_recovered_ = false, is_open_ = false, was_enabled_ = false;
  bool has_work_ = false;
  Due place_due_, pace_due_, rates_due_;
  Types types_;
  Recovery recovery_;
  Rotation rotation_;
  Rereads rereads_;
  Recount recount_;
  Mover mover_;
  Dependencies dependencies_;
  Batches batches_;
  Leases leases_;
  Orphans orphans_;
  History history_;
  Notifications notifications_;
};

}  // namespace metrics_refresh::queue
