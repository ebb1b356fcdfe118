// Decides what runs when: a pure state machine over the jobs of one database. It is told the time
// and what happened, and answers with what to do and when to ask again. It starts nothing, logs
// nothing and reads no clock.
//
//   idle --due--> ready --Start--> running --RunEnded--> idle
//                   ^                 |
//                   +--StartRefused---+
//
// A job never runs twice at once. A due time that comes while the job is ready or running is
// missed, and counted; a trigger request that comes then waits its turn.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/instant.hpp"
#include "core/retry_policy.hpp"
#include "core/timetable.hpp"

namespace metrics_refresh::core {

using JobId = std::int64_t;
using RunId = std::int64_t;

/// What becomes of due times that passed while nothing could run.
enum class OnMissed : std::uint8_t {
  kOnce,  // one run, as soon as possible
  kSkip,  // none
};

/// What becomes of due times that come while the job's run is ready or under way.
enum class OnOverlap : std::uint8_t {
  kSkip,      // they are counted
  kQueueOne,  // one run serves the latest of them, as soon as the other has ended
};

struct Job {
  JobId id = 0;
  std::optional<Timetable> timetable;  // none: runs only when triggered
  bool runnable = true;                // active and not suspended
  Instant handled_until;               // due times up to here are history
  OnMissed on_missed = OnMissed::kOnce;
  OnOverlap on_overlap = OnOverlap::kSkip;
  int priority = 0;            // of runs that wait for a worker the higher goes first, then the
                               // earlier due, then the one that became ready first
  std::optional<Retry> retry;  // of the last run, which failed; dropped where the next due time
                               // comes first
  int max_parallel = 0;        // of a group: how many of its members run at once; 0: no limit
};

/// A member of a group's run that has not begun.
struct GroupMember {
  int number = 0;
  std::vector<int> waits_for;  // members that must succeed before
};

// Events.
struct JobChanged {
  Job job;  // new, or in place of the one with the same id
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
struct RunAdopted {  // a run that an earlier scheduler started is still under way; after JobChanged
  JobId job;
  std::optional<int> member;
};
/// The run of a group as the tables have it: its job counts as running until no member is pending
/// or running. Comes after the run of the job itself, which only planned, in place of RunEnded; and
/// again whenever the tables change (members were cancelled). Members that are not listed will not
/// be started any more; those under way go on until their RunEnded.
struct GroupOpened {
  JobId job;
  RunId run;
  std::vector<GroupMember> pending;
};
struct RunEnded {
  JobId job;
  std::optional<int> member;
  bool success =
      true;  // of a member: else those that wait for it, directly or not, are not started
};
struct StartRefused {  // the last Start of this could not be carried out for want of a worker
  JobId job;
  std::optional<int> member;
};
struct WorkerFreed {};  // refused starts may be tried again now
using Event = std::variant<JobChanged, JobRemoved, TriggerRequested, TriggerWithdrawn, RunAdopted,
                           GroupOpened, RunEnded, StartRefused, WorkerFreed>;

// Actions.
struct Start {
  JobId job;
  Instant due;                // when it should have started
  std::optional<RunId> run;   // of a trigger request; of a member: its group's run
  std::optional<int> member;  // of a group's run
  int attempt = 1;            // more: a retry
};
struct Missed {  // a due time passed while the job was ready or running
  JobId job;
  Instant due;
};
using Action = std::variant<Start, Missed>;

struct Plan {
  std::vector<Action> actions;
  std::optional<Instant> wake_up;  // nothing to do before this, unless an event comes
};

/// What a tick may do.
struct Limits {
  bool enabled = true;  // false: nothing starts, due times pass by, and requests wait
  int free_workers = std::numeric_limits<int>::max();  // no more starts than this
};

class Scheduler {
 public:
  /// How long a refused start waits before it is tried again, unless a worker ends before.
  static constexpr Duration kRefusedDelay = std::chrono::seconds(1);
  /// A clock stepped back by no more than this does not repeat due times that were handled.
  static constexpr Duration kSmallStep = std::chrono::minutes(1);
  /// A due time counts as missed when it could not be looked at within this.
  static constexpr Duration kMissedAfter = std::chrono::minutes(1);

  /// Takes `events` into account, in order, and plans for `now`. An event of one job takes
  /// O(log jobs), as does a start, however many wait.
  Plan tick(Instant now, const std::vector<Event>& events, Limits limits = {});

  /// How many runs wait for a worker.
  std::size_t waiting_count() const noexcept { return ready_.size(); }
  /// The runs that wait for a worker, in the order in which they would start, at most `most`.
  std::vector<Start> waiting(std::size_t most) const;
  /// The earliest time at which a job will want to start, or nothing.
  std::optional<Instant> next_due() const;
  /// The jobs that will want to start until `until`, in that order, at most `most`: so that workers
  /// can be ready by then.
  std::vector<JobId> due_until(Instant until, std::size_t most) const;
  std::size_t job_count() const noexcept { return jobs_.size(); }

 private:
  enum class State : std::uint8_t { kIdle, kReady, kRunning };
  struct Entry {
    Job job;
    State state = State::kIdle;
    bool removed = false;          // goes when its run ends
    bool withdrawn = false;        // while running: a start that is refused is not repeated
    std::optional<Instant> due;    // in timeline_ where set
    Instant ready_due;             // the due time that a ready or running run serves
    std::optional<RunId> request;  // that a ready or running run serves
    std::uint64_t turn = 0;        // in ready_ where ready; kept when its start is refused
    std::deque<RunId> requests;    // that wait
  };

  void on(Instant now, const JobChanged& event);
  void on(Instant now, const JobRemoved& event);
  void on(Instant now, const TriggerRequested& event);
  void on(Instant now, const TriggerWithdrawn& event);
  void on(Instant now, const RunAdopted& event);
  void on(Instant now, const RunEnded& event);
  void on(Instant now, const StartRefused& event);
  void on(Instant now, const WorkerFreed& event);

  Entry* find(JobId id);
  void handle_clock_step(Instant now);
  void plan_next(Entry& entry, Instant now);
  void set_due(Entry& entry, std::optional<Instant> due);
  void collect_due(Instant now, bool enabled, Plan& plan);
  void make_ready(Entry& entry, Instant due, std::optional<RunId> request);
  void start_ready(Instant now, Plan& plan);
  void finish(Entry& entry, Instant now);
  void take_request(Entry& entry, Instant now);

  std::unordered_map<JobId, Entry> jobs_;
  std::set<std::pair<Instant, JobId>> timeline_;
  std::map<std::uint64_t, JobId> ready_;  // by turn: in the order in which they became ready
  std::uint64_t last_turn_ = 0;
  std::optional<Instant> last_tick_;
  std::optional<Instant> retry_at_;  // of refused starts
};

}  // namespace metrics_refresh::core
