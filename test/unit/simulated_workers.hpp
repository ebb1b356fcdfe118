// The world around a scheduler, as a model: workers that take runs or refuse them, requests, and a
// wall clock that may be stepped against real time. Every promise that core::Scheduler breaks is a
// failure of the test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "core/scheduler.hpp"
#include "unit/virtual_day.hpp"

namespace metrics_refresh::core::test {

class SimulatedWorkers {
 public:
  struct Run {
    Instant end;  // in real time
    std::optional<RunId> request;
    bool refused;
    bool repeat;  // if it is refused: until its job is removed
  };
  struct ModelJob {
    Job job;
    Duration gap;            // the longest between two due times
    Instant seen;            // in real time: last started, missed or changed
    std::optional<Run> run;  // a Start without an end
    bool removed = false;    // while it runs
    bool to_repeat = false;  // a scheduled start was refused
  };

  explicit SimulatedWorkers(unsigned seed) : random_(seed) {}

  int workers = 3;
  int refusals = 10;  // percent, besides those for want of a worker
  Duration longest_run = std::chrono::seconds{2};
  std::map<JobId, ModelJob> jobs;
  std::multiset<std::pair<JobId, Instant>> slots;  // started for the first time, or missed
  std::set<RunId> started;                         // requests that a worker took
  std::set<RunId> accepted;  // requests that were neither withdrawn nor removed before

  int pick(int low, int high) { return std::uniform_int_distribution<>(low, high)(random_); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  Duration pick(Duration low, Duration high) {
    using Distribution = std::uniform_int_distribution<Duration::rep>;
    return Duration{Distribution(low.count(), high.count())(random_)};
  }
  Instant now() const { return real_ + offset_; }
  bool enabled() const { return enabled_; }
  const std::map<RunId, JobId>& pending() const { return pending_; }

  // What may happen. The scheduler hears of it at the next tick, in this order.

  void change(const Job& job, Duration gap) {
    ModelJob& model = jobs[job.id];
    model.job = job;
    model.gap = gap;
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
    if (!model.run) {
      jobs.erase(id);
      return;
    }
    model.removed = true;
    model.run->repeat = false;
  }

  void request(JobId id) {
    const RunId run = ++last_request_;
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

  void step(Duration by) {
    offset_ += by;
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
    std::vector<Event> others;
    for (auto it = jobs.begin(); it != jobs.end();) {
      auto& [id, model] = *it;
      if (model.run && model.run->refused) model.run.reset();
      model.to_repeat = false;
      if (model.removed) {
        it = jobs.erase(it);
        continue;
      }
      events_.emplace_back(JobChanged{model.job});
      if (model.run) others.emplace_back(RunAdopted{id});
      ++it;
    }
    for (const auto& [run, job] : pending_) others.emplace_back(TriggerRequested{run, job});
    std::shuffle(others.begin(), others.end(), random_);
    std::move(others.begin(), others.end(), std::back_inserter(events_));
    see_all();
  }

  void end_runs() {
    std::vector<JobId> ended;
    for (const auto& [id, model] : jobs)
      if (model.run && model.run->end <= real_) ended.push_back(id);
    std::shuffle(ended.begin(), ended.end(), random_);
    for (const JobId id : ended) end(id, jobs.at(id));
  }

  /// How long nothing happens, if nobody interferes.
  Duration quiet() const {
    Instant next = std::min(real_ + std::chrono::hours{24}, wake_up_real_);
    if (!events_.empty()) next = real_;
    for (const auto& [id, model] : jobs)
      if (model.run) next = std::min(next, model.run->end);
    return std::max(next - real_, Duration::zero());
  }

  void pass(Duration time) { real_ += time; }

  void tick() {
    end_runs();
    const Plan plan = scheduler_.tick(now(), events_, {enabled_});
    events_.clear();
    EXPECT_TRUE(enabled_ || plan.actions.empty());
    for (const Action& action : plan.actions)
      std::visit([this](const auto& what) { check(what); }, action);

    const Plan again = scheduler_.tick(now(), {}, {enabled_});
    EXPECT_TRUE(again.actions.empty()) << text_of(again.actions.front());
    EXPECT_EQ(text_of(again.wake_up), text_of(plan.wake_up));
    EXPECT_TRUE(!plan.wake_up || *plan.wake_up > now()) << "busy loop at " << text_of(now());
    EXPECT_TRUE(plan.wake_up || !enabled_ || !scheduler_.has_waiting_runs()) << "a run waits";
    wake_up_real_ = plan.wake_up ? real_ + (*plan.wake_up - now()) : Instant::max();
    for (const auto& [id, model] : jobs) check_progress(model);
  }

 private:
  void forget(RunId run) {
    pending_.erase(run);
    accepted.erase(run);
  }

  void see_all() {
    for (auto& [id, model] : jobs) model.seen = real_;
  }

  void end(JobId id, ModelJob& model) {
    const Run run = *std::exchange(model.run, std::nullopt);
    if (run.refused)
      events_.emplace_back(StartRefused{id});
    else
      events_.emplace_back(RunEnded{id});
    model.to_repeat = run.refused && run.repeat && !run.request && model.job.runnable;
    if (model.removed) jobs.erase(id);
  }

  void check(const Start& start) {
    SCOPED_TRACE(text_of(Action{start}) + " at " + text_of(now()));
    const auto found = jobs.find(start.job);
    ASSERT_NE(found, jobs.end());
    ModelJob& model = found->second;
    ASSERT_FALSE(model.removed);
    ASSERT_FALSE(model.run) << "it runs twice at once";
    EXPECT_LE(start.due, now());
    const auto busy = std::count_if(jobs.begin(), jobs.end(), [](const auto& other) {
      return other.second.run && !other.second.run->refused;
    });
    const bool refused = busy >= workers || chance(refusals);
    if (start.run) {
      EXPECT_EQ(pending_.count(*start.run), 1U) << "not requested, or started already";
      if (!refused) {
        EXPECT_TRUE(started.insert(*start.run).second);
        pending_.erase(*start.run);
      }
    } else {
      EXPECT_TRUE(model.job.runnable);
      if (!model.to_repeat) slots.emplace(start.job, start.due);
      model.job.handled_until = std::max(model.job.handled_until, start.due);
    }
    model.to_repeat = false;
    model.seen = real_;
    const Duration time = refused ? pick(Duration{0}, std::chrono::milliseconds{300})
                                  : pick(Duration{1}, longest_run);
    model.run = Run{real_ + time, start.run, refused, true};
  }

  void check(const Missed& missed) {
    SCOPED_TRACE(text_of(Action{missed}) + " at " + text_of(now()));
    const auto found = jobs.find(missed.job);
    ASSERT_NE(found, jobs.end());
    ModelJob& model = found->second;
    EXPECT_FALSE(model.removed);
    EXPECT_TRUE(model.job.runnable);
    EXPECT_LE(missed.due, now());
    slots.emplace(missed.job, missed.due);
    model.job.handled_until = std::max(model.job.handled_until, missed.due);
    model.seen = real_;
  }

  // No job stands still, whatever the clock does.
  void check_progress(const ModelJob& model) const {
    if (!enabled_ || !model.job.runnable || !model.job.timetable || model.removed) return;
    const Duration slack = Scheduler::kRefusedDelay + std::chrono::seconds{1};
    EXPECT_LE((real_ - model.seen).count(), (model.gap + Scheduler::kSmallStep + slack).count())
        << "job " << model.job.id << " stands still at " << text_of(now());
  }

  std::mt19937 random_;
  Scheduler scheduler_;
  Instant real_ = moment("10:00");
  Duration offset_{};  // of the wall clock
  bool enabled_ = true;
  std::vector<Event> events_;
  std::map<RunId, JobId> pending_;  // requests that no worker took yet
  Instant wake_up_real_ = Instant::max();
  RunId last_request_ = 0;
};

}  // namespace metrics_refresh::core::test
