#include "unit/simulated_workers.hpp"

#include <limits>

namespace metrics_refresh::core::test {

void SimulatedWorkers::end(JobId id, ModelJob& model) {
  const Run run = *std::exchange(model.run, std::nullopt);
  if (run.refused) {
    events_.emplace_back(StartRefused{id});
    model.to_repeat = run.repeat && !run.start.run && run.start.attempt == 1 && model.job.runnable;
  } else if (model.is_group && chance(80)) {
    const RunId opened = run.start.run ? *run.start.run : ++last_run_;
    model.group = SimulatedGroup::random(opened, pick(0, 8), random_);
    if (model.removed) model.group->close_all();
    model.opened_by = run.start;
    opened_[opened] = real_;
    events_.emplace_back(GroupOpened{id, opened, model.group->pending()});
    close_if_done(id, model);
    return;
  } else {
    end_and_perhaps_retry(model, run.start, RunEnded{id});
  }
  forget_if_gone(id);
}

void SimulatedWorkers::end_member(JobId id, ModelJob& model, int number) {
  SimulatedGroup::Member& member = model.group->members.at(number);
  member.ends.reset();
  if (std::exchange(member.refused, false)) {
    events_.emplace_back(StartRefused{id, number});
  } else {
    ++members;
    member.begun = true;
    const bool success = member.state == SimulatedGroup::State::kPending && !chance(failures);
    if (success)
      member.state = SimulatedGroup::State::kSuccess;
    else
      model.group->close(number);
    events_.emplace_back(RunEnded{id, number, success});
  }
  close_if_done(id, model);
}

void SimulatedWorkers::close_if_done(JobId id, ModelJob& model) {
  if (!model.group->done()) return;
  ++groups;
  model.group.reset();
  end_and_perhaps_retry(model, model.opened_by, std::nullopt);
  forget_if_gone(id);
}

// The worker commits its retry before the end of its run is seen; who reads it may be later.
void SimulatedWorkers::end_and_perhaps_retry(ModelJob& model, const Start& start,
                                             std::optional<Event> ended) {
  std::optional<Retry> retry;
  if (!start.run && !model.removed && chance(failures)) {
    const RetryPolicy policy{3, std::chrono::seconds{1}, std::chrono::seconds{20}};
    std::optional<Instant> next;
    if (model.job.timetable) next = model.job.timetable->next_after(now());
    retry = plan_retry(policy, start.attempt, start.due, now(), next, random_());
  }
  const bool first = chance(50);
  if (retry) model.job.retry = retry;
  if (retry && first) events_.emplace_back(JobChanged{model.job});
  if (ended) events_.push_back(std::move(*ended));
  if (retry && !first) events_.emplace_back(JobChanged{model.job});
}

void SimulatedWorkers::tick() {
  end_runs();
  int free = counted ? std::max(workers - busy(), 0) : std::numeric_limits<int>::max();
  for (const Event& event : events_)
    if (std::holds_alternative<StartRefused>(event)) refused_real_ = real_;
  const Plan plan = scheduler_.tick(now(), events_, {enabled_, free});
  events_.clear();
  EXPECT_TRUE(enabled_ || plan.actions.empty());
  for (const Action& action : plan.actions)
    if (std::holds_alternative<Start>(action)) --free;
  EXPECT_GE(free, 0) << "more starts than workers";
  check_order(plan.actions);
  for (const Action& action : plan.actions)
    std::visit([this](const auto& what) { check(what); }, action);

  const Plan again = scheduler_.tick(now(), {}, {enabled_, free});
  EXPECT_TRUE(again.actions.empty()) << text_of(again.actions.front());
  EXPECT_EQ(text_of(again.wake_up), text_of(plan.wake_up));
  EXPECT_TRUE(!plan.wake_up || *plan.wake_up > now()) << "busy loop at " << text_of(now());
  EXPECT_TRUE(plan.wake_up || !enabled_ || scheduler_.waiting_count() == 0) << "a run waits";
  wake_up_real_ = plan.wake_up ? real_ + (*plan.wake_up - now()) : Instant::max();
  check_waiting(free);
  for (const auto& [id, model] : jobs) check_progress(model);
}

void SimulatedWorkers::check(const Start& start) {
  SCOPED_TRACE(text_of(Action{start}) + " at " + text_of(now()));
  const auto found = jobs.find(start.job);
  ASSERT_NE(found, jobs.end());
  ModelJob& model = found->second;
  ASSERT_FALSE(model.removed);
  EXPECT_LE(start.due, now());
  const bool refused = busy() >= workers || chance(refusals);
  model.seen = real_;
  if (start.member)
    check_member_start(start, model, refused);
  else
    check_job_start(start, model, refused);
}

void SimulatedWorkers::check_job_start(const Start& start, ModelJob& model, bool refused) {
  ASSERT_FALSE(model.run || model.group) << "it runs twice at once";
  if (start.run) {
    EXPECT_EQ(start.attempt, 1);
    EXPECT_EQ(pending_.count(*start.run), 1U) << "not requested, or started already";
    if (!refused) {
      EXPECT_TRUE(started.insert(*start.run).second);
      pending_.erase(*start.run);
    }
  } else {
    EXPECT_TRUE(model.job.runnable);
    if (start.attempt == 1) {
      if (!model.to_repeat) slots.emplace(start.job, start.due);
      EXPECT_TRUE(!steady || now() >= model.job.timetable->start_of(start.job, start.due));
    } else {
      ASSERT_TRUE(model.job.retry) << "no retry was planned, or it was done already";
      EXPECT_EQ(start.attempt, model.job.retry->attempt);
      if (!stepped_) {
        EXPECT_EQ(text_of(start.due), text_of(model.job.retry->due));
        EXPECT_GE(now(), model.job.retry->at);
      }
      if (!refused) ++retries;
    }
    if (!refused) model.job.handled_until = start.due;
  }
  model.to_repeat = false;
  if (!refused && model.job.retry) {
    model.job.retry.reset();
    events_.emplace_back(JobChanged{model.job});
  }
  model.run = Run{real_ + time_of_run(refused), start, refused, true};
}

void SimulatedWorkers::check_member_start(const Start& start, ModelJob& model, bool refused) {
  ASSERT_TRUE(model.group);
  EXPECT_EQ(start.run, model.group->run);
  ASSERT_TRUE(model.group->may_start(*start.member)) << "it runs, is closed, or waits for others";
  EXPECT_TRUE(model.job.max_parallel == 0 || model.group->under_way() < model.job.max_parallel);
  SimulatedGroup::Member& member = model.group->members.at(*start.member);
  member.ends = real_ + time_of_run(refused);
  member.refused = refused;
  member.begun = !refused && chance(50);
}

Duration SimulatedWorkers::time_of_run(bool refused) {
  return refused ? pick(Duration{0}, std::chrono::milliseconds{300})
                 : pick(Duration{1}, longest_run);
}

void SimulatedWorkers::check(const Missed& missed) {
  SCOPED_TRACE(text_of(Action{missed}) + " at " + text_of(now()));
  const auto found = jobs.find(missed.job);
  ASSERT_NE(found, jobs.end());
  ModelJob& model = found->second;
  EXPECT_FALSE(model.removed);
  EXPECT_TRUE(model.job.runnable);
  EXPECT_LE(missed.due, now());
  slots.emplace(missed.job, missed.due);
  model.seen = real_;
}

// Of one owner's runs of a lane the higher priority goes first, then the earlier due time, unless
// one has waited long; what waits comes after what started.
void SimulatedWorkers::check_order(const std::vector<Action>& actions) {
  std::vector<Start> starts;
  for (const Action& action : actions)
    if (const auto* start = std::get_if<Start>(&action)) starts.push_back(*start);
  const std::vector<Start> waiting = scheduler_.waiting(1000);
  if (!starts.empty()) starts.insert(starts.end(), waiting.begin(), waiting.end());
  std::map<std::pair<OwnerId, bool>, Start> last;  // of an owner in a lane
  for (const Start& after : starts) {
    const Job& job = jobs.at(after.job).job;
    const auto [found, is_first] = last.try_emplace({job.owner, job.priority > 0}, after);
    if (is_first) continue;
    const Start before = std::exchange(found->second, after);
    // It may be there because it has waited for so long, and have done so since its due time.
    if (stepped_ || before.due + ReadyRuns::kOvertakeLimit <= now()) continue;
    const int higher = jobs.at(before.job).job.priority, lower = job.priority;
    EXPECT_GE(higher, lower) << "job " << after.job << " should have gone before " << before.job;
    EXPECT_TRUE(higher > lower || before.due <= after.due);
  }
}

void SimulatedWorkers::check_waiting(int free) {
  const std::vector<Start> waiting = scheduler_.waiting(1000);
  EXPECT_EQ(scheduler_.waiting_count() == 0, waiting.empty());
  const bool may_start = enabled_ && free > 0 && real_ - refused_real_ >= Scheduler::kRefusedDelay;
  EXPECT_FALSE(may_start && !waiting.empty()) << "a run waits for nothing at " << text_of(now());
  std::map<JobId, int> count;
  for (const Start& start : waiting) {
    ASSERT_EQ(jobs.count(start.job), 1U);
    jobs.at(start.job).seen = real_;
    ++count[start.job];
  }
  for (const auto& [id, model] : jobs) {
    const bool open = model.group && !model.removed;
    const bool requested = !model.group && !model.run && !model.removed && has_pending(id);
    EXPECT_TRUE(!open || count[id] == model.group->startable(model.job.max_parallel)) << id;
    EXPECT_TRUE(!requested || count[id] == 1) << "a request for job " << id << " stands still";
  }
  if (waiting.empty() || !chance(5)) return;
  Scheduler other = scheduler_;
  const auto some = static_cast<std::size_t>(pick(1, static_cast<int>(waiting.size())));
  const Plan plan = other.tick(now(), {WorkerFreed{}}, {true, static_cast<int>(some)});
  ASSERT_EQ(plan.actions.size(), some);
  for (std::size_t i = 0; i < some; ++i)
    EXPECT_EQ(text_of(plan.actions[i]), text_of(Action{waiting[i]}));
}

// No job stands still, whatever the clock does. What queue_one keeps is not seen for a while.
void SimulatedWorkers::check_progress(const ModelJob& model) const {
  if (!enabled_ || !model.job.runnable || !model.job.timetable || model.removed) return;
  const Duration slack = Scheduler::kRefusedDelay + std::chrono::seconds{1};
  const int gaps = model.job.on_overlap == OnOverlap::kQueueOne ? 2 : 1;
  EXPECT_LE((real_ - model.seen).count(),
            (gaps * model.gap + Scheduler::kSmallStep + slack).count())
      << "job " << model.job.id << " stands still at " << text_of(now());
}

}  // namespace metrics_refresh::core::test
