// The jobs, events and actions of a scheduler. See scheduler.hpp.
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

/// The treatment of due times that passed while no run could start.
enum class OnMissed : std::uint8_t {
  kOnce,  // one run, as soon as possible
  kSkip,  // none
};

/// The treatment of due times that come while a run of the job is in progress.
enum class OnOverlap : std::uint8_t {
  kSkip,      // they are only counted
  kQueueOne,  // one run serves the latest of them. It starts after the running one, and after runs
              // that were requested in the meantime
};

struct Job {
  JobId id = 0;
  std::optional<Timetable> timetable;  // none: it runs only if triggered
  bool runnable = true;                // active and not suspended
  Instant handled_until;               // due times up to here have been handled
  OnMissed on_missed = OnMissed::kOnce;
  OnOverlap on_overlap = OnOverlap::kSkip;
  OwnerId owner = 0;           // owners take turns if runs wait for a worker
  int priority = 0;            // among the owner's runs; above 0 only if set by a super admin: see
                               // ready_runs.hpp
  bool limited = false;        // its runs count for Limits::owner_workers
  std::optional<Retry> retry;  // of the last run, which failed. It waits for the end of a running
                               // run, and is dropped if a due time comes first
  int max_parallel = 0;        // of a group: members that may run at once; 0: no limit
};

/// A pending member of a group's run.
struct GroupMember {
  int number = 0;
  std::vector<int> waits_for;  // members that must succeed before it. Members that are neither
                               // pending nor running count as done. REQUIRES: no circle
};

// Events.
struct JobChanged {  // also if a retry was planned, or was cleared because a run has started
  Job job;           // new, or replaces the job with the same id
};
struct JobRemoved {
  JobId job;
};
struct TriggerRequested {  // ignored if the same run was requested before
  RunId run;
  JobId job;
};
struct TriggerWithdrawn {
  RunId run;
};
/// A run that an earlier scheduler started is still running, or its end was not reported yet. Comes
/// after JobChanged.
struct RunAdopted {
  JobId job;
  std::optional<int> member = std::nullopt;
  Instant handled_until = Instant::min();  // from its Start
};
/// The state of a group's run in the tables. Its job counts as running until no member is pending
/// or running. The event comes:
/// - instead of RunEnded, after the run of the job itself, which only planned;
/// - after RunAdopted of the running members, if a new scheduler reads the tables;
/// - if the tables change, for example because members were canceled.
/// Members that are not listed will not be started any more. Running ones continue until their
/// RunEnded. REQUIRES: read from the tables before any event that comes after it.
struct GroupOpened {
  JobId job;
  RunId run;
  std::vector<GroupMember> pending;
};
struct RunEnded {
  JobId job;
  std::optional<int> member = std::nullopt;
  bool success = true;  // if false for a member: its direct and indirect dependents are not started
};
struct StartRefused {  // the last Start of this failed because there was no worker
  JobId job;
  std::optional<int> member = std::nullopt;
  bool tried = false;  // a worker had it and could not begin: the owner's turn is used up
};
struct WorkerFreed {};  // refused starts can be tried again
using Event = std::variant<JobChanged, JobRemoved, TriggerRequested, TriggerWithdrawn, RunAdopted,
                           GroupOpened, RunEnded, StartRefused, WorkerFreed>;

// Actions.
struct Start {
  JobId job;
  Instant due;                             // when it should have started, without jitter
  std::optional<RunId> run;                // of a trigger request; for a member: its group's run
  std::optional<int> member;               // of a group's run
  int attempt = 1;                         // above 1: a retry of the job's run
  Instant handled_until = Instant::min();  // the job's due times up to here are handled when the
                                           // run has started
};
struct Missed {  // a due time without a run, because the job was ready or running
  JobId job;
  Instant due;
};
using Action = std::variant<Start, Missed>;

struct Plan {
  std::vector<Action> actions;
  std::optional<Instant> wake_up;  // nothing to do before this, unless an event comes
  bool starving = false;  // an owner has waited without a running run for Limits::yield_after, and
                          // no worker is free: a run must yield, see yielding.hpp
};

/// The limits of a tick.
struct Limits {
  bool enabled = true;  // if false, nothing starts and due times pass; requests, retries and
                        // members wait
  int free_workers = std::numeric_limits<int>::max();  // maximum number of starts
  int owner_workers = 0;          // runs of one owner's limited jobs at once; 0: no limit
  std::map<OwnerId, int> busy{};  // running runs of each owner, as the limit counts them
  Duration yield_after{};         // how long an owner without a running run may wait; 0: no limit
  bool reserved = false;  // an owner of another database has waited that long without a running
                          // run: limited jobs of owners with a running run do not start
};

}  // namespace metrics_refresh::core
