// What a scheduler knows of a job, what it is told, and what it answers. See scheduler.hpp.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "core/instant.hpp"
#include "core/schedule/timetable.hpp"
#include "core/scheduler/retry_policy.hpp"

namespace metrics_refresh::core {

using JobId = std::int64_t;
using RunId = std::int64_t;
using OwnerId = std::uint32_t;

/// What becomes of due times that passed while nothing could run.
enum class OnMissed : std::uint8_t {
  kOnce,  // one run, as soon as possible
  kSkip,  // none
};

/// What becomes of due times that come while the job's run is under way.
enum class OnOverlap : std::uint8_t {
  kSkip,      // they are counted
  kQueueOne,  // one run serves the latest of them, once the other and those that were requested
              // meanwhile have ended
};

struct Job {
  JobId id = 0;
  std::optional<Timetable> timetable;  // none: runs only when triggered
  bool runnable = true;                // active and not suspended
  Instant handled_until;               // due times up to here are history
  OnMissed on_missed = OnMissed::kOnce;
  OnOverlap on_overlap = OnOverlap::kSkip;
  OwnerId owner = 0;     // owners take turns where runs wait for a worker
  int priority = 0;      // of that owner's runs; above 0 only where a super admin gave it: see
                         // ready_runs.hpp
  bool limited = false;  // its runs count for Limits::owner_workers
  std::optional<Retry> retry;  // of the last run, which failed. It waits for the end of a run under
                               // way, and is dropped where a due time comes first
  int max_parallel = 0;        // of a group: how many of its members run at once; 0: no limit
};

/// A member of a group's run that has not begun.
struct GroupMember {
  int number = 0;
  std::vector<int> waits_for;  // members that must succeed before; those that are neither pending
                               // nor running count as done. REQUIRES: no circle
};

// Events.
struct JobChanged {  // also when a retry was planned, or was cleared because a run has begun
  Job job;           // new, or in place of the one with the same id
};
struct JobRemoved {
  JobId job;
};
struct TriggerRequested {  // a repeated request for the same run is ignored
  RunId run;
  JobId job;
};
struct TriggerWithdrawn {
  RunId run;
};
/// A run that an earlier scheduler started is still under way, or its end is yet to be told. Comes
/// after JobChanged.
struct RunAdopted {
  JobId job;
  std::optional<int> member = std::nullopt;
  Instant handled_until = Instant::min();  // as its Start said
};
/// The run of a group as the tables have it: its job counts as running until no member is pending
/// or running. Comes in place of RunEnded after the run of the job itself, which only planned; from
/// a new scheduler's reading of the tables, after RunAdopted of the members under way; and whenever
/// the tables change (members were cancelled). Members that are not listed will not be started any
/// more; those under way go on until their RunEnded. REQUIRES: read from the tables before any
/// event that comes after it.
struct GroupOpened {
  JobId job;
  RunId run;
  std::vector<GroupMember> pending;
};
struct RunEnded {
  JobId job;
  std::optional<int> member = std::nullopt;
  bool success =
      true;  // of a member: else those that wait for it, directly or not, are not started
};
struct StartRefused {  // the last Start of this could not be carried out for want of a worker
  JobId job;
  std::optional<int> member = std::nullopt;
  bool tried = false;  // a worker had it and could not begin: its owner has had his turn
};
struct WorkerFreed {};  // refused starts may be tried again now
using Event = std::variant<JobChanged, JobRemoved, TriggerRequested, TriggerWithdrawn, RunAdopted,
                           GroupOpened, RunEnded, StartRefused, WorkerFreed>;

// Actions.
struct Start {
  JobId job;
  Instant due;  // when it should have started; of a job with jitter, before that was added
  std::optional<RunId> run;                // of a trigger request; of a member: its group's run
  std::optional<int> member;               // of a group's run
  int attempt = 1;                         // more: a retry of the job's run
  Instant handled_until = Instant::min();  // the job's due times up to here are history once the
                                           // run has begun
};
struct Missed {  // a due time that no run serves, for the job was ready or running
  JobId job;
  Instant due;
};
using Action = std::variant<Start, Missed>;

struct Plan {
  std::vector<Action> actions;
  std::optional<Instant> wake_up;  // nothing to do before this, unless an event comes
  bool starving = false;  // an owner has waited without a run for Limits::yield_after, and no
                          // worker is free: somebody's run is to yield, see yielding.hpp
};

/// What a tick may do.
struct Limits {
  bool enabled = true;  // false: nothing starts, due times pass by; requests, retries and members
                        // wait
  int free_workers = std::numeric_limits<int>::max();  // no more starts than this
  int owner_workers = 0;          // so many runs of one owner's limited jobs at once; 0: no limit
  std::map<OwnerId, int> busy{};  // runs under way of each owner, as the limit counts them
  Duration yield_after{};         // so long an owner without a run waits behind others; 0: any time
  bool kept_free = false;  // an owner without a run, of another database, has waited so long:
                           // limited jobs of owners who have one under way do not start
};

}  // namespace metrics_refresh::core
