// Decides what runs when: a pure state machine over the jobs of one database. It is told the time
// and what happened, and answers with what to do and when to ask again. It starts nothing, logs
// nothing and reads no clock.
//
//             due, retry, trigger            Start                   RunEnded
//   idle ------------------------------> ready ----> running ----------------------> idle
//                                          ^           |  |                           ^
//                                          +-----------+  | GroupOpened               |
//                                          StartRefused   v                           |
//                                                   group's run open: its members ----+
//                                                   start and end    no member is left
//
// A job never runs twice at once. A due time that comes while the job is ready is missed, and
// counted; so is one that comes while it runs, unless on_overlap keeps the latest for when the run
// has ended. A trigger request that comes then waits its turn. Due times are looked at when their
// start comes, which is later only for a job with jitter.
//
// `@after` counts from the end of a run, whatever started it, and is not due while one is under way
// or waits for a worker. `@reboot` is due at the server's start, which is past: it is never missed.
//
// A retry runs when its time comes, unless a due time comes before, or while it still waits for a
// worker. How far it lies ahead was measured on the clock of the time: where that was stepped back,
// it is not waited for any longer than lay between the retry and its due time.
//
// Which of the runs that wait for a worker goes next, and when each of them does at the latest, is
// said in ready_runs.hpp. A run whose owner has as many under way as he may have waits, and nobody
// waits for it.
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
  /// How long a refused start waits before it is tried again, unless a worker ends before; and how
  /// long until runs that wait are looked at again.
  static constexpr Duration kRefusedDelay = std::chrono::seconds(1);
  /// A clock stepped back by no more than this does not repeat due times that were handled.
  static constexpr Duration kSmallStep = std::chrono::minutes(1);
  /// A due time counts as missed when it could not be looked at within this.
  static constexpr Duration kMissedAfter = std::chrono::minutes(1);

  /// Takes `events` into account, in order, and plans for `now`. An event of one job takes
  /// O(log jobs), as does a start, however many wait; GroupOpened also takes time by the members.
  /// Only a step of the clock back looks at all jobs.
  Plan tick(Instant now, const std::vector<Event>& events, const Limits& limits = {});

  /// How many jobs wait: for the start of their run, or of the next member of it.
  std::size_t waiting_count() const noexcept { return ready_.size(); }
  /// The runs that wait for a worker, in the order in which they would start if no owner had a
  /// limit, at most `most`.
  std::vector<Start> waiting(std::size_t most) const;
  /// The earliest time at which a job will want to start, or nothing.
  std::optional<Instant> next_due() const;
  /// The idle jobs that will want to start until `until`, in that order, at most `most`: so that
  /// workers can be ready by then.
  std::vector<JobId> due_until(Instant until, std::size_t most) const;
  std::size_t job_count() const noexcept { return jobs_.size(); }

 private:
  enum class State : std::uint8_t { kIdle, kReady, kRunning };
  struct Entry {
    Job job;
    State state = State::kIdle;
    bool removed = false;           // goes when its run ends
    bool withdrawn = false;         // while running: a start that is refused is not repeated
    std::optional<Instant> due;     // the next due time
    Instant start;                  // of that
    std::optional<Instant> wants;   // to start then: in timeline_ where set
    Place place;                    // of a ready or running run; its due time is the run's
    std::optional<RunId> request;   // that a ready or running run serves
    int attempt = 1;                // that a ready or running run is
    std::optional<GroupRun> group;  // while running: set while a group's run is open
    RunId opened = 0;               // the group's run that was open last
    std::optional<ReadyRuns::Waiting> waits;  // in ready_ where set
    std::uint64_t turn_before = 0;            // the owner's turn that the last start took
    Instant without_before;                   // since when he had waited without a run then
    std::optional<Instant> last_end;  // of a run, or when the job was made, where `@after` counts
    std::optional<Instant> queued;    // due time that waits for the end of the run under way
    std::set<RunId> requests;         // that wait, by number: in the order in which they were made
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
  bool is_worth_it(const Entry& entry, const Retry& retry, Instant now) const;
  void collect_due(Instant now, bool enabled, Plan& plan);
  void handle_due(Entry& entry, Instant now, bool enabled, Plan& plan);

  // The way of a run.
  void make_ready(Entry& entry, Instant due, Instant now, std::optional<RunId> request,
                  int attempt = 1);
  void begin_unseen(Entry& entry, Instant now);
  void finish(Entry& entry, Instant now);
  void finish_group_if_done(Entry& entry, Instant now);
  void take_next(Entry& entry, Instant now);

  // What waits for a worker.
  void update_ready(Entry& entry);
  int start_ready(Instant now, const Limits& limits, Plan& plan);
  void take(const ReadyRuns::Next& next, Instant now);
  void give_back(JobId id);
  std::vector<std::pair<Rank, Start>> starts_of(const Entry& entry, std::size_t most) const;

  std::unordered_map<JobId, Entry> jobs_;
  std::unordered_map<RunId, JobId> requests_;  // that wait, or that a ready or running run serves
  std::set<std::pair<Instant, JobId>> timeline_;
  ReadyRuns ready_;  // a group with an open run is there once, for its next member
  std::uint64_t last_turn_ = 0;
  std::optional<Instant> last_tick_;
  std::optional<Instant> refused_until_;  // nothing starts before
};

}  // namespace metrics_refresh::core
