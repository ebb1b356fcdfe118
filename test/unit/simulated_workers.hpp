// The world around a scheduler, as a model: the tables, workers that take runs or refuse them, and
// a wall clock that may be stepped against real time. What the scheduler decides is checked in
// simulated_workers.cpp.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "core/scheduler/scheduler.hpp"
#include "unit/simulated_group.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {

class SimulatedWorkers {
 public:
  struct Run {
    Instant end;  // in real time
    Start start;
    bool refused;
    bool repeat;  // if it is refused: until its job is removed
  };
  struct ModelJob {
    Job job;
    Duration gap;            // the longest between two starts
    bool is_group = false;   // its runs open a plan
    Instant seen;            // in real time: last started, missed, changed, or among those waiting
    std::optional<Run> run;  // a Start without an end
    std::optional<SimulatedGroup> group;  // an open run
    Start opened_by{};                    // of that
    bool removed = false;                 // while it runs
    bool to_repeat = false;               // a scheduled start was refused
  };

  explicit SimulatedWorkers(unsigned seed) : random_(seed) {}

  int workers = 3;
  bool counted = true;  // the scheduler is told how many are free
  int refusals = 10;    // percent, besides those for want of a worker
  int failures = 20;    // percent, of members; as many runs of jobs are retried
  bool steady = false;  // no job changes, so starts can be compared with timetables
  Duration longest_run = std::chrono::seconds{2};
  std::map<JobId, ModelJob> jobs;
  std::multiset<std::pair<JobId, Instant>> slots;  // started for the first time, or missed
  std::set<RunId> started;                         // requests that a worker took
  std::set<RunId> accepted;  // requests that were neither withdrawn nor removed before
  int retries = 0, members = 0, groups = 0;  // that ran

  int pick(int low, int high) { return std::uniform_int_distribution<>(low, high)(random_); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  Duration pick(Duration low, Duration high) {
    using Distribution = std::uniform_int_distribution<Duration::rep>;
    return Duration{Distribution(low.count(), high.count())(random_)};
  }
  Instant now() const { return real_ + offset_; }
  bool enabled() const { return enabled_; }
  const std::map<RunId, JobId>& pending() const { return pending_; }
  bool has_open_group_since(Instant real) const {
    return std::any_of(jobs.begin(), jobs.end(), [&](const auto& entry) {
      return entry.second.group && opened_.at(entry.second.group->run) <= real;
    });
  }
  Instant real() const { return real_; }

  // What may happen. The scheduler hears of it at the next tick, in this order.

  void change(const Job& job, Duration gap, bool is_group = false) {
    ModelJob& model = jobs[job.id];
    model.job = job;
    model.gap = gap;
    if (!model.group) model.is_group = is_group;
    model.seen = real_;
    model.removed = false;
    if (!job.runnable) model.to_repeat = false;
    events_.emplace_back(JobChanged{job});
  }

  void remove(JobId id) {
    ModelJob& model = jobs.at(id);
    for (auto it = pending_.begin(); it != pending_.end();) {
      const auto [run, job] = *it++;
      if (job == id) forget(run);
    }
    events_.emplace_back(JobRemoved{id});
    model.removed = true;
    if (model.run) model.run->repeat = false;
    if (model.group) model.group->close_all();
    forget_if_gone(id);
  }

  void request(JobId id) {
    const RunId run = ++last_run_;
    for (int times = pick(1, 2); times > 0; --times)
      events_.emplace_back(TriggerRequested{run, id});
    const auto found = jobs.find(id);
    if (found == jobs.end() || found->second.removed) return;
    accepted.insert(run);
    pending_.emplace(run, id);
  }

  void withdraw(RunId run) {
    events_.emplace_back(TriggerWithdrawn{run});
    if (pending_.count(run) != 0) forget(run);
  }

  /// A member of an open run, or none of them, and the plan is read again.
  void cancel_member(JobId id) {
    const auto found = jobs.find(id);
    if (found == jobs.end() || !found->second.group || found->second.removed) return;
    SimulatedGroup& group = *found->second.group;
    const std::vector<GroupMember> pending = group.pending();
    if (!pending.empty() && chance(70))
      group.close(
          pending[static_cast<std::size_t>(pick(0, static_cast<int>(pending.size()) - 1))].number);
    events_.emplace_back(GroupOpened{id, group.run, group.pending()});
    close_if_done(id, found->second);
  }

  void step(Duration by) {
    offset_ += by;
    stepped_ = true;
    refused_real_ = real_;  // the wait for a worker may begin anew
    see_all();
  }

  void set_enabled(bool enabled) {
    enabled_ = enabled;
    see_all();
  }

  /// Another scheduler takes over; starts that are on their way to be refused are forgotten.
  void restart() {
    scheduler_ = Scheduler();
    events_.clear();
    std::vector<Event> others, opened;
    std::vector<JobId> gone;
    for (auto& [id, model] : jobs) {
      if (model.run && model.run->refused) model.run.reset();
      model.to_repeat = false;
      if (model.group)
        for (auto& [number, member] : model.group->members)
          if (std::exchange(member.refused, false)) member.ends.reset();
      if (model.removed) {
        gone.push_back(id);
        continue;
      }
      events_.emplace_back(JobChanged{model.job});
      if (model.run) others.emplace_back(RunAdopted{id});
      if (!model.group) continue;
      opened.emplace_back(GroupOpened{id, model.group->run, model.group->pending()});
      for (auto& [number, member] : model.group->members)
        if (member.ends) others.emplace_back(RunAdopted{id, number});
    }
    for (const JobId id : gone) jobs.erase(id);
    for (const auto& [run, job] : pending_) others.emplace_back(TriggerRequested{run, job});
    std::vector<std::size_t> order(others.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random_);
    for (const std::size_t i : order) events_.push_back(others[i]);
    events_.insert(events_.end(), opened.begin(), opened.end());
    see_all();
  }

  void end_runs() {
    std::vector<std::pair<JobId, std::optional<int>>> ended;
    for (const auto& [id, model] : jobs) {
      if (model.run && model.run->end <= real_) ended.emplace_back(id, std::nullopt);
      if (!model.group) continue;
      for (const auto& [number, member] : model.group->members)
        if (member.ends && *member.ends <= real_) ended.emplace_back(id, number);
    }
    std::shuffle(ended.begin(), ended.end(), random_);
    for (const auto& [id, member] : ended)
      member ? end_member(id, jobs.at(id), *member) : end(id, jobs.at(id));
  }

  /// How long nothing happens, if nobody interferes.
  Duration quiet() const {
    Instant next = std::min(real_ + std::chrono::hours{24}, wake_up_real_);
    if (!events_.empty()) next = real_;
    for (const auto& [id, model] : jobs) {
      if (model.run) next = std::min(next, model.run->end);
      if (!model.group) continue;
      for (const auto& [number, member] : model.group->members)
        if (member.ends) next = std::min(next, *member.ends);
    }
    return std::max(next - real_, Duration::zero());
  }

  void pass(Duration time) { real_ += time; }

  /// Runs what ended, tells the scheduler, and checks and carries out what it decides.
  void tick();

 private:
  void forget(RunId run) {
    pending_.erase(run);
    accepted.erase(run);
  }

  void see_all() {
    for (auto& [id, model] : jobs) model.seen = real_;
  }

  int busy() const {
    int result = 0;
    for (const auto& [id, model] : jobs)
      result +=
          (model.run && !model.run->refused ? 1 : 0) + (model.group ? model.group->busy() : 0);
    return result;
  }

  void forget_if_gone(JobId id) {
    const ModelJob& model = jobs.at(id);
    if (model.removed && !model.run && (!model.group || model.group->done())) jobs.erase(id);
  }

  void end(JobId id, ModelJob& model);
  void end_member(JobId id, ModelJob& model, int number);
  void close_if_done(JobId id, ModelJob& model);
  void end_and_perhaps_retry(ModelJob& model, const Start& start, std::optional<Event> ended);
  Duration time_of_run(bool refused);
  bool has_pending(JobId id) const {
    return std::any_of(pending_.begin(), pending_.end(),
                       [id](const auto& request) { return request.second == id; });
  }

  void check(const Start& start);
  void check_job_start(const Start& start, ModelJob& model, bool refused);
  void check_member_start(const Start& start, ModelJob& model, bool refused);
  void check(const Missed& missed);
  void check_order(const std::vector<Action>& actions);
  void check_waiting(int free);
  void check_progress(const ModelJob& model) const;

  std::mt19937 random_;
  Scheduler scheduler_;
  Instant real_ = moment("10:00");
  Duration offset_{};  // of the wall clock
  bool stepped_ = false;
  bool enabled_ = true;
  std::vector<Event> events_;
  std::map<RunId, JobId> pending_;   // requests that no worker took yet
  std::map<RunId, Instant> opened_;  // group runs, in real time
  Instant wake_up_real_ = Instant::max();
  Instant refused_real_{};  // when the scheduler last heard of a refusal
  RunId last_run_ = 0;
};

}  // namespace metrics_refresh::core::test
