// Decides which runs start and when. It is a pure state machine over the jobs of one database. The
// input is the time and a list of events; the output is a list of actions and the time of the next
// call. It starts nothing, logs nothing and reads no clock.
//
//            due, retry, trigger            Start                   RunEnded
//  idle ------------------------------> ready ----> running ----------------------> idle
//                                         ^           |  |                           ^
//                                         +-----------+  | GroupOpened               |
//                                         StartRefused   v                           |
//                                                  group's run open: its members ----+
//                                                  start and end    no member is left
//
// A job never runs twice at once. If a due time comes while the job is ready, it is missed and
// counted. The same applies if it comes while the job is running, unless on_overlap queues the
// latest one until the run has ended. A trigger request waits for its turn. With jitter, a due time
// is handled at its start, which is later.
//
// `@after` counts from the end of any run. It is not due while a run is in progress or waits for a
// worker. `@reboot` is due at the server's start, which is in the past, so it is never missed.
//
// A retry starts at its time, unless a due time comes before it or while it waits for a worker. Its
// delay was measured with the clock of that time. If the clock is set back, the retry waits no
// longer than the time between its due time and the retry.
//
// ready_runs.hpp describes the order in which waiting runs start, and how long each waits at most.
// If an owner has as many running runs as permitted, its runs wait, and do not delay those of
// others.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/instant.hpp"
#include "core/scheduler/group_run.hpp"
#include "core/scheduler/ready_runs.hpp"
#include "core/scheduler/scheduler_events.hpp"

namespace metrics_refresh::core {

class Scheduler {
 public:
  /// The time until a refused start is tried again, unless a worker becomes free before. Also the
  /// interval at which waiting runs are examined again.
  static constexpr Duration kRefusedDelay = std::chrono::seconds(1);
  /// If the clock is set back by at most this, due times that were handled are not repeated.
  static constexpr Duration kSmallStep = std::chrono::minutes(1);
  /// A due time counts as missed if it was not handled within this time.
  static constexpr Duration kMissedAfter = std::chrono::minutes(1);

  /// Handles `events` in order, and plans for `now`. An event for one job takes O(log jobs), and so
  /// does a start, regardless of the number of waiting runs. GroupOpened also takes time for each
  /// member. Only if the clock was set back are all jobs visited.
  Plan tick(Instant now, const std::vector<Event>& events, const Limits& limits = {});

  /// The number of jobs that wait to start their run, or the next member of it.
  std::size_t waiting_count() const noexcept { return ready_.size(); }
  /// Returns at most `most` runs that wait for a worker, in the order in which they would start if
  /// no owner had a limit.
  std::vector<Start> waiting(std::size_t most) const;
  /// Returns the earliest time at which a job will want to start, or nothing.
  std::optional<Instant> next_due() const;
  /// Returns at most `most` idle jobs that will want to start until `until`, in that order. The
  /// caller can start workers for them in advance.
  std::vector<JobId> due_until(Instant until, std::size_t most) const;
  std::size_t job_count() const noexcept { return jobs_.size(); }

 private:
  enum class State : std::uint8_t { kIdle, kReady, kRunning };
  struct Entry {
    Job job;
    State state = State::kIdle;
    bool removed = false;           // it will be erased when its run ends
    bool withdrawn = false;         // while running: a refused start is not repeated
    std::optional<Instant> due;     // the next due time
    Instant start;                  // the start of that due time
    std::optional<Instant> wants;   // when it wants to start; if set, it is in timeline_
    Place place;                    // of a ready or running run; contains the run's due time
    std::optional<RunId> request;   // request that a ready or running run serves
    int attempt = 1;                // attempt number of a ready or running run
    std::optional<GroupRun> group;  // set while a group's run is open
    RunId opened = 0;               // the last group's run that was open
    std::optional<ReadyRuns::Waiting> waits;  // set if it is in ready_
    std::uint64_t turn_before = 0;            // the owner's turn before the last start
    Instant waiting_since_before;             // since when the owner had waited without a run
    std::optional<Instant> last_end;          // of a run or, for `@after`, when the job was made
    std::optional<Instant> queued;            // due time that waits for the end of the running run
    std::set<RunId> requests;  // waiting requests, in the order in which they were made
  };

  void on(Instant now, const JobChanged& event);
  void on(Instant now, const JobRemoved& event);
  void on(Instant now, const TriggerRequested& event);
  void on(Instant now, const TriggerWithdrawn& event);
  void on(Instant now, const RunAdopted& event);
  void on(Instant now, const GroupOpened& event);
  void on(Instant now, const RunEnded& event);
  void on(Instant now, const StartRefused& event);
  void on(Instant now, const WorkerFreed& event);

  Entry* find(JobId id);
  Entry* find_running(JobId id, bool member);
  Place next_place(Instant due, Instant now) { return {due, ++last_turn_, now}; }

  // The clock and the timeline.
  void handle_clock_step(Instant now);
  void plan_next(Entry& entry, Instant now);
  void count_from_end(Entry& entry, Instant now);
  void update_timeline(Entry& entry, Instant now);
  bool is_served(const Entry& entry, const Retry& retry) const;
  bool is_still_useful(const Entry& entry, const Retry& retry, Instant now) const;
  void collect_due(Instant now, bool enabled, Plan& plan);
  void handle_due(Entry& entry, Instant now, bool enabled, Plan& plan);

  // The life of a run.
  void make_ready(Entry& entry, Instant due, Instant now, std::optional<RunId> request,
                  int attempt = 1);
  void adopt_run(Entry& entry, Instant now);
  void finish(Entry& entry, Instant now);
  void finish_group_if_done(Entry& entry, Instant now);
  void start_next_request(Entry& entry, Instant now);

  // Runs that wait for a worker.
  void update_ready(Entry& entry);
  int start_ready(Instant now, const Limits& limits, Plan& plan);
  void start(const ReadyRuns::Next& next, Instant now);
  void give_back(JobId id);
  std::vector<std::pair<Rank, Start>> starts_of(const Entry& entry, std::size_t most) const;

  std::unordered_map<JobId, Entry> jobs_;
  std::unordered_map<RunId, JobId> requests_;  // waiting, or served by a ready or running run
  std::set<std::pair<Instant, JobId>> timeline_;
  ReadyRuns ready_;  // a group with an open run has one entry, for its next member
  std::uint64_t last_turn_ = 0;
  std::optional<Instant> last_tick_;
  std::optional<Instant> refused_until_;  // no run is started before
};

}  // namespace metrics_refresh::core
