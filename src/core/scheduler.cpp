#include "core/scheduler.hpp"

#include <algorithm>

namespace metrics_refresh::core {

Plan Scheduler::tick(Instant now, const std::vector<Event>& events, bool enabled) {
  handle_clock_step(now);
  for (const Event& event : events)
    std::visit([this, now](const auto& what) { on(now, what); }, event);
  Plan plan;
  collect_due(now, enabled, plan);
  if (enabled) start_ready(now, plan);
  plan.wake_up = next_due();
  if (enabled && !ready_.empty() && (!plan.wake_up || *retry_at_ < *plan.wake_up))
    plan.wake_up = retry_at_;
  return plan;
}

std::optional<Instant> Scheduler::next_due() const {
  if (timeline_.empty()) return std::nullopt;
  return timeline_.begin()->first;
}

Scheduler::Entry* Scheduler::find(JobId id) {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

// A clock that was stepped back leaves due times far in the future: they are computed anew.
void Scheduler::handle_clock_step(Instant now) {
  const std::optional<Instant> before = std::exchange(last_tick_, now);
  if (!before || now >= *before) return;
  for (auto& [id, entry] : jobs_) plan_next(entry, now);
  if (retry_at_) retry_at_ = now;
}

void Scheduler::on(Instant now, const JobChanged& event) {
  Entry& entry = jobs_[event.job.id];
  // The job may have been read before this scheduler handled its latest due time.
  const Instant handled = std::max(event.job.handled_until, entry.job.handled_until);
  entry.job = event.job;
  entry.job.handled_until = handled;
  entry.removed = false;
  if (entry.state == State::kReady && !entry.request && !entry.job.runnable) finish(entry, now);
  plan_next(entry, now);
}

void Scheduler::on(Instant, const JobRemoved& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr) return;
  set_due(*entry, std::nullopt);
  if (entry->state == State::kRunning) {
    entry->removed = true;
    entry->withdrawn = true;
    entry->requests.clear();
    return;
  }
  ready_.erase(entry->turn);
  jobs_.erase(event.job);
}

void Scheduler::on(Instant now, const TriggerRequested& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || entry->removed || entry->request == event.run) return;
  auto& requests = entry->requests;
  if (std::find(requests.begin(), requests.end(), event.run) != requests.end()) return;
  requests.push_back(event.run);
  take_request(*entry, now);
}

void Scheduler::on(Instant now, const TriggerWithdrawn& event) {
  for (auto& [id, entry] : jobs_) {
    auto& requests = entry.requests;
    requests.erase(std::remove(requests.begin(), requests.end(), event.run), requests.end());
    if (entry.request != event.run) continue;
    if (entry.state == State::kRunning)
      entry.withdrawn = true;
    else
      finish(entry, now);
    return;
  }
}

void Scheduler::on(Instant now, const RunAdopted& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || entry->state == State::kRunning) return;
  if (entry->state == State::kReady) {
    ready_.erase(entry->turn);
    if (entry->request)  // waits for this run
      entry->requests.push_front(*std::exchange(entry->request, std::nullopt));
  }
  entry->state = State::kRunning;
  entry->ready_due = now;
}

void Scheduler::on(Instant now, const RunEnded& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || entry->state != State::kRunning) return;
  on(now, WorkerFreed{});
  finish(*entry, now);
}

void Scheduler::on(Instant now, const StartRefused& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || entry->state != State::kRunning) return;
  retry_at_ = now + kRefusedDelay;
  const bool paused = !entry->request && !entry->job.runnable;
  if (entry->withdrawn || paused) {
    finish(*entry, now);
    return;
  }
  entry->state = State::kReady;
  ready_.emplace(entry->turn, event.job);
}

void Scheduler::on(Instant now, const WorkerFreed&) {
  if (retry_at_) retry_at_ = std::min(*retry_at_, now);
}

// The first due time after those that are history. Where history lies in the future, the clock was
// stepped back: after a small step (a time server's correction) it stays history, after a large one
// it does not, for a job must not stand still for hours.
void Scheduler::plan_next(Entry& entry, Instant now) {
  Job& job = entry.job;
  if (job.handled_until > now + kSmallStep) job.handled_until = now;
  if (!job.schedule || !job.runnable || entry.removed)
    set_due(entry, std::nullopt);
  else
    set_due(entry, job.schedule->next_after(job.handled_until, *job.zone));
}

void Scheduler::set_due(Entry& entry, std::optional<Instant> due) {
  if (entry.due) timeline_.erase({*entry.due, entry.job.id});
  entry.due = due;
  if (due) timeline_.insert({*due, entry.job.id});
}

void Scheduler::collect_due(Instant now, bool enabled, Plan& plan) {
  while (!timeline_.empty() && timeline_.begin()->first <= now) {
    const auto [due, id] = *timeline_.begin();
    Entry& entry = jobs_.at(id);
    const Instant in_time = now - kMissedAfter;
    const bool skip =
        entry.state == State::kIdle && entry.job.on_missed == OnMissed::kSkip && due < in_time;
    // A due time that is not missed may follow those that are skipped.
    entry.job.handled_until = skip ? in_time - Duration(1) : now;
    plan_next(entry, now);
    if (!enabled || skip) continue;
    if (entry.state != State::kIdle)
      plan.actions.push_back(Missed{id, due});
    else
      make_ready(entry, due, std::nullopt);
  }
}

void Scheduler::make_ready(Entry& entry, Instant due, std::optional<RunId> request) {
  entry.state = State::kReady;
  entry.ready_due = due;
  entry.request = request;
  entry.turn = ++last_turn_;
  ready_.emplace(entry.turn, entry.job.id);
  if (!retry_at_) retry_at_ = due;
}

void Scheduler::start_ready(Instant now, Plan& plan) {
  if (ready_.empty() || (retry_at_ && *retry_at_ > now)) return;
  for (const auto& [turn, id] : ready_) {
    Entry& entry = jobs_.at(id);
    entry.state = State::kRunning;
    entry.ready_due = std::min(entry.ready_due, now);  // the clock may have been stepped back
    plan.actions.push_back(Start{id, entry.ready_due, entry.request});
  }
  ready_.clear();
  retry_at_.reset();
}

// Of a ready or running run: it ended, or it will not be started.
void Scheduler::finish(Entry& entry, Instant now) {
  if (entry.state == State::kReady) ready_.erase(entry.turn);
  entry.state = State::kIdle;
  entry.request.reset();
  entry.withdrawn = false;
  if (entry.removed) {
    jobs_.erase(entry.job.id);
    return;
  }
  take_request(entry, now);
}

void Scheduler::take_request(Entry& entry, Instant now) {
  if (entry.state != State::kIdle || entry.requests.empty()) return;
  const RunId run = entry.requests.front();
  entry.requests.pop_front();
  make_ready(entry, now, run);
}

}  // namespace metrics_refresh::core
